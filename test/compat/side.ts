/** One server of a comparison: performs operations and keeps what its watches saw. */
import { type Answer, type Duplex, METHODS, TestClient } from "../harness/client.ts";
import type * as m from "../harness/messages.ts";
import type { Part } from "../harness/proto.ts";
import type { Server } from "../harness/process.ts";
import { canonicalRange, canonicalTxn } from "./canonical.ts";
import { lineOf, plain, remaining } from "./normalise.ts";
import type { Operation } from "./operation.ts";

interface SeenEvent {
  readonly revision: bigint;
  readonly key: string;
  readonly isDelete: boolean;
}

interface Watch {
  readonly request: Part<m.WatchCreateRequest>;
  /** First revision it is to report. */
  readonly from: bigint;
  isCancelled: boolean;
}

const SETTLE_MS_MAX = 10_000;
const QUIET_MS = 400;

function covers(request: Part<m.WatchCreateRequest>, key: string): boolean {
  const lo = Buffer.from(request.key ?? []).toString("latin1");
  const hi = Buffer.from(request.rangeEnd ?? []).toString("latin1");
  if (hi === "") return lo === "" ? key === "\0" : key === lo;
  if (hi === "\0") return key >= lo;
  return key >= lo && key < hi;
}

export class Side {
  readonly server: Server;
  readonly client: TestClient;
  /** Every change of the store, in order, from a watch of everything. */
  readonly history: SeenEvent[] = [];
  revision = 1n;
  /** As the driver knows it; -1 = never. */
  compacted = -1n;
  readonly #master: Duplex<m.WatchRequest, m.WatchResponse>;
  readonly #keepAlive: Duplex<m.LeaseIdRequest, m.LeaseKeepAliveResponse>;
  #stream: Duplex<m.WatchRequest, m.WatchResponse>;
  #watches = new Map<bigint, Watch>();
  /** Watches that compaction ended. */
  #ended = new Set<bigint>();
  #quietUntilMs = 0;
  #seenOfMaster = 0;
  #seenOfStream = 0;
  /** By watch id; -1 collects the refused. */
  #logs = new Map<bigint, string[]>();
  #eventCounts = new Map<bigint, number>();

  constructor(server: Server) {
    this.server = server;
    this.client = new TestClient(server.address);
    this.#master = this.client.watch();
    this.#keepAlive = this.client.keepAlive();
    this.#stream = this.client.watch();
  }

  async open(): Promise<void> {
    const all = Buffer.from([0]);
    this.#master.send({ create: { key: all, rangeEnd: all } });
    await this.#master.until((received) => received.length > 0);
  }

  close(): void {
    this.#master.cancel();
    this.#keepAlive.cancel();
    this.#stream.cancel();
    this.client.close();
  }

  /** Performs one operation; the answer as a line to compare. */
  async perform(operation: Operation): Promise<string> {
    switch (operation.kind) {
      case "range":
        return lineOf(await this.client.call(METHODS.range, operation.request), (value) =>
          canonicalRange(operation.request, value),
        );
      case "put":
        return this.#noteRevision(await this.client.call(METHODS.put, operation.request));
      case "deleteRange":
        return this.#noteRevision(await this.client.call(METHODS.deleteRange, operation.request));
      case "txn":
        return this.#noteRevision(await this.client.call(METHODS.txn, operation.request), (value) =>
          canonicalTxn(operation.request, value),
        );
      case "compact":
        await this.#letQuietWatchesCatchUp();
        return this.#noteRevision(await this.client.call(METHODS.compact, operation.request));
      case "hashKv":
        return lineOf(await this.client.call(METHODS.hashKv, operation.request));
      case "leaseGrant":
        return lineOf(await this.client.call(METHODS.leaseGrant, operation.request));
      case "leaseBrief":
        return await this.#brief(operation.request);
      case "leaseRevoke":
        return this.#noteRevision(await this.client.call(METHODS.leaseRevoke, operation.request));
      case "leaseTimeToLive":
        return await this.#timeToLive(operation.request);
      case "leaseLeases":
        return await this.#leases();
      case "keepAlive":
        return await this.#renew(operation.request);
      case "watchCreate":
        return await this.#watchCreate(operation.request);
      case "watchCancel":
        return await this.#watchCancel(operation.watchId);
      case "watchReset":
        return await this.#watchReset();
      case "settle":
        return await this.settle();
    }
  }

  #noteRevision<T extends { header: m.Header | undefined }>(
    answer: Answer<T>,
    view?: (value: T) => unknown,
  ): string {
    const revision = answer.ok ? answer.value.header?.revision : undefined;
    if (revision !== undefined) this.revision = revision;
    return lineOf(answer, view);
  }

  /**
   * A watch of the past to which nothing is due gives no sign when it has caught up, and compaction
   * would end it before. etcd looks for such watches every 100 ms.
   */
  async #letQuietWatchesCatchUp(): Promise<void> {
    const left = this.#quietUntilMs - performance.now();
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
  }

  async #brief(request: Part<m.LeaseGrantRequest>): Promise<string> {
    const granted = await this.client.call(METHODS.leaseGrant, request);
    const isChosen = (request.id ?? 0n) === 0n;
    const line = lineOf(granted, (value) => ({
      ...value,
      id: isChosen ? (value.id > 0n ? "positive" : value.id) : value.id,
    }));
    if (!granted.ok) return line;
    const revoked = await this.client.call(METHODS.leaseRevoke, { id: granted.value.id });
    return `${line} ${lineOf(revoked)}`;
  }

  async #timeToLive(request: Part<m.LeaseTimeToLiveRequest>): Promise<string> {
    const answer = await this.client.call(METHODS.leaseTimeToLive, request);
    return lineOf(answer, (value) => ({
      ...value,
      ttl: remaining(value.ttl, value.grantedTtl),
      keys: value.keys.map((key) => key.toString("latin1")).sort(),
    }));
  }

  async #leases(): Promise<string> {
    const answer = await this.client.call(METHODS.leaseLeases, {});
    return lineOf(answer, (value) => ({
      ...value,
      // In order of expiry, which is a matter of milliseconds here.
      leases: value.leases.map((lease) => lease.id.toString()).sort(),
    }));
  }

  async #renew(request: Part<m.LeaseIdRequest>): Promise<string> {
    const before = this.#keepAlive.received.length;
    this.#keepAlive.send(request);
    await this.#keepAlive.until((received) => received.length > before);
    return JSON.stringify(plain(this.#keepAlive.received[before]));
  }

  #readMaster(): void {
    const { received } = this.#master;
    for (; this.#seenOfMaster < received.length; this.#seenOfMaster++) {
      for (const event of received[this.#seenOfMaster]?.events ?? []) {
        this.history.push({
          revision: event.kv?.modRevision ?? 0n,
          key: (event.kv?.key ?? Buffer.alloc(0)).toString("latin1"),
          isDelete: event.type === 1,
        });
      }
    }
  }

  #readStream(): void {
    const { received } = this.#stream;
    for (; this.#seenOfStream < received.length; this.#seenOfStream++) {
      const response = received[this.#seenOfStream];
      if (response !== undefined) this.#note(response);
    }
  }

  #note(response: m.WatchResponse): void {
    const { watchId } = response;
    const log = this.#logs.get(watchId) ?? [];
    this.#logs.set(watchId, log);
    if (response.created || response.canceled) {
      // The revision of a created response is exact; of a cancelled one it is a matter of timing.
      const header = response.created && !response.canceled ? response.header : undefined;
      log.push(JSON.stringify(plain({ ...response, header, events: [] })));
      const watch = this.#watches.get(watchId);
      if (response.canceled && watch !== undefined) watch.isCancelled = true;
    }
    const { events } = response;
    for (const event of events) log.push(JSON.stringify(plain(event)));
    this.#eventCounts.set(watchId, (this.#eventCounts.get(watchId) ?? 0) + events.length);
    const last = events.at(-1)?.kv?.modRevision ?? 0n;
    if ((response.header?.revision ?? 0n) < last) log.push(`header below event ${last} (WA-10)`);
  }

  /** Events that a watch owes by now, from the watch of everything. */
  #due(watch: Watch): number {
    const hidesPuts = watch.request.filters?.includes(0) === true;
    const hidesDeletes = watch.request.filters?.includes(1) === true;
    let count = 0;
    for (let i = this.history.length - 1; i >= 0; i--) {
      const event = this.history[i];
      if (event === undefined || event.revision < watch.from) break;
      if (event.isDelete ? hidesDeletes : hidesPuts) continue;
      if (covers(watch.request, event.key)) count++;
    }
    return count;
  }

  /** Waits until every watch has what is due to it; its log as one line. */
  async settle(): Promise<string> {
    const isCaughtUp = (): boolean => {
      this.#readMaster();
      return this.revision === 1n || (this.history.at(-1)?.revision ?? 1n) >= this.revision;
    };
    try {
      await this.#master.until(isCaughtUp, SETTLE_MS_MAX);
      await this.#stream.until(() => {
        this.#readStream();
        return [...this.#watches].every(
          ([id, watch]) =>
            watch.isCancelled || (this.#eventCounts.get(id) ?? 0) >= this.#due(watch),
        );
      }, SETTLE_MS_MAX);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const missing = [...this.#watches]
        .filter(
          ([id, watch]) =>
            !watch.isCancelled && (this.#eventCounts.get(id) ?? 0) < this.#due(watch),
        )
        .map(([id, watch]) => `${id}: ${this.#eventCounts.get(id) ?? 0} of ${this.#due(watch)}`);
      return `watches not settled (${text}); revision ${this.revision}, missing ${missing.join("; ")}`;
    }
    return this.#takeLogs();
  }

  #takeLogs(): string {
    const ids = [...this.#logs.keys()].sort((a, b) => (a < b ? -1 : 1));
    const lines = ids.map((id) => `watch ${id}:\n  ${(this.#logs.get(id) ?? []).join("\n  ")}`);
    this.#logs.clear();
    return lines.join("\n");
  }

  /** Answers of the control kind come one by one, since requests do. */
  async #control(send: () => void, isIt: (response: m.WatchResponse) => boolean): Promise<void> {
    const before = this.#stream.received.length;
    send();
    await this.#stream.until((received) => received.slice(before).some(isIt));
  }

  async #watchCreate(wanted: Part<m.WatchCreateRequest>): Promise<string> {
    // etcd keeps the id of a watch that compaction ended; one of its own choice is never met again.
    const from = wanted.startRevision ?? 0n;
    const isDoomed = from > 0n && from < this.compacted;
    const isTaken = isDoomed || this.#ended.has(wanted.watchId ?? 0n);
    const request = isTaken ? { ...wanted, watchId: 0n } : wanted;
    const settled = await this.settle();
    const before = this.#stream.received.length;
    let created: m.WatchResponse | undefined;
    await this.#control(
      () => this.#stream.send({ create: request }),
      (response) => {
        if (response.created) created = response;
        return response.created;
      },
    );
    if (created === undefined || created.canceled) return settled;
    const now = created.header?.revision ?? 0n;
    const watch = { request, from: from === 0n ? now + 1n : from, isCancelled: false };
    this.#watches.set(created.watchId, watch);
    if (from > 0n && from <= now) this.#quietUntilMs = performance.now() + QUIET_MS;
    this.#eventCounts.set(created.watchId, 0);
    // Starting below what is compacted ends the watch at once (WA-06).
    if (isDoomed) {
      const { watchId } = created;
      const isOver = (received: readonly m.WatchResponse[]): boolean =>
        received
          .slice(before)
          .some((response) => response.canceled && response.watchId === watchId);
      await this.#stream.until(isOver).catch(() => {
        const what = `from ${from}, compacted ${this.compacted}`;
        throw new Error(`watch ${watchId} is not cancelled by compaction: ${what}`);
      });
      watch.isCancelled = true;
      this.#ended.add(watchId);
    }
    return settled;
  }

  async #watchCancel(watchId: bigint): Promise<string> {
    const settled = await this.settle();
    const watch = this.#watches.get(watchId);
    // etcd answers once more for a watch that compaction ended (WA-08).
    if (this.#ended.has(watchId)) return settled;
    const send = (): void => this.#stream.send({ cancel: { watchId } });
    if (watch === undefined || watch.isCancelled) send();
    else {
      await this.#control(send, (response) => response.canceled && response.watchId === watchId);
      watch.isCancelled = true;
    }
    return settled;
  }

  async #watchReset(): Promise<string> {
    const settled = await this.settle();
    this.#stream.cancel();
    this.#stream = this.client.watch();
    this.#watches = new Map();
    this.#eventCounts = new Map();
    this.#ended = new Set();
    this.#seenOfStream = 0;
    return settled;
  }
}
