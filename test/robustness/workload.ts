/**
 * Clients that write, each to keys of its own, and remember what they were told: after a crash,
 * every key must be explained by what was acknowledged and by the one request that was under way.
 */
import type { Prng } from "../../src/base/index.ts";
import { type Duplex, METHODS, TestClient } from "../harness/client.ts";
import type * as m from "../harness/messages.ts";

/** undefined = the key is not there. */
interface State {
  readonly value: string | undefined;
  /** Revision it was acknowledged with; undefined while it is not. */
  readonly revision: bigint | undefined;
}

interface Pending {
  readonly keys: readonly string[];
  readonly value: string | undefined;
}

const KEYS_PER_CLIENT = 6;

function isGone(code: number): boolean {
  // What a client sees of a killed server: unavailable, cancelled, or past its deadline.
  return code === 14 || code === 1 || code === 4;
}

class Writer {
  readonly name: string;
  readonly acknowledged = new Map<string, State>();
  pending: Pending | undefined;
  revisionMax = 0n;
  acknowledgements = 0;
  #sequence = 0;
  readonly #random: Prng;

  constructor(name: string, random: Prng) {
    this.name = name;
    this.#random = random;
  }

  #key(): string {
    return `${this.name}/${this.#random.below(KEYS_PER_CLIENT)}`;
  }

  #choose(): Pending {
    const dice = this.#random.below(100);
    const value = `${this.name}:${this.#sequence++}:${"x".repeat(this.#random.below(300))}`;
    if (dice < 60) return { keys: [this.#key()], value };
    if (dice < 80) return { keys: [this.#key()], value: undefined };
    const first = this.#key();
    const second = this.#key();
    if (first === second) return { keys: [first], value };
    return { keys: [first, second], value: dice < 95 ? value : undefined };
  }

  async #send(client: TestClient, request: Pending) {
    const keys = request.keys.map((key) => Buffer.from(key));
    const value = request.value === undefined ? undefined : Buffer.from(request.value);
    const [only] = keys;
    if (keys.length === 1 && only !== undefined && value !== undefined) {
      return await client.call(METHODS.put, { key: only, value });
    }
    if (keys.length === 1 && only !== undefined) {
      return await client.call(METHODS.deleteRange, { key: only });
    }
    const success = keys.map((key) =>
      value === undefined ? { deleteRange: { key } } : { put: { key, value } },
    );
    return await client.call(METHODS.txn, { success });
  }

  /** Writes until the server is gone; another refusal is a failure. */
  async run(client: TestClient, onAcknowledged: () => void): Promise<void> {
    for (;;) {
      const request = this.#choose();
      this.pending = request;
      const answer = await this.#send(client, request);
      if (!answer.ok) {
        const { code, message } = answer.refusal;
        if (isGone(code)) return;
        throw new Error(`${this.name}: refused with ${code} ${message}`);
      }
      const revision = answer.value.header?.revision ?? 0n;
      if (revision < this.revisionMax) {
        throw new Error(`${this.name}: revision fell from ${this.revisionMax} to ${revision}`);
      }
      this.revisionMax = revision;
      this.acknowledgements++;
      onAcknowledged();
      for (const key of request.keys) {
        this.acknowledged.set(key, { value: request.value, revision });
      }
      this.pending = undefined;
    }
  }

  /** Problems of the keys of this writer, as the server has them now; adopts what it finds. */
  check(found: ReadonlyMap<string, { value: string; revision: bigint }>): string[] {
    const problems: string[] = [];
    const { pending } = this;
    let applied = 0;
    for (let i = 0; i < KEYS_PER_CLIENT; i++) {
      const key = `${this.name}/${i}`;
      const now = found.get(key);
      const last = this.acknowledged.get(key) ?? { value: undefined, revision: undefined };
      const mayBePending = pending?.keys.includes(key) === true;
      const isLast = now?.value === last.value;
      const isPending = mayBePending && now?.value === pending?.value;
      if (!isLast && !isPending) {
        problems.push(
          `${key} is ${JSON.stringify(now?.value.slice(0, 40))}, acknowledged was ` +
            `${JSON.stringify(last.value?.slice(0, 40))} at revision ${last.revision}`,
        );
      }
      if (isLast && !isPending && now !== undefined && now.revision !== last.revision) {
        problems.push(`${key} has revision ${now.revision}, acknowledged was ${last.revision}`);
      }
      // A delete of what was not there is seen as applied and as not applied at once.
      if (isPending && !isLast) applied++;
      this.acknowledged.set(key, { value: now?.value, revision: now?.revision });
    }
    const changing = (pending?.keys ?? []).filter((key) => pending?.value !== undefined && key);
    if (applied > 0 && applied !== changing.length && pending?.value !== undefined) {
      problems.push(`a transaction on ${pending.keys.join(", ")} was applied in part`);
    }
    this.pending = undefined;
    return problems;
  }
}

export interface Load {
  readonly acknowledgements: number;
  readonly revisionMax: bigint;
}

/** Writers, a lease client, a compactor and a watch of everything, over many crashes. */
export class Workload {
  readonly #writers: Writer[];
  readonly #random: Prng;
  /** Events that a client was shown, by revision, newest run included. */
  #shown: string[] = [];
  #shownRevisionMax = 0n;
  #compactedMax = 0n;
  readonly #leases = new Set<bigint>();
  #leaseNext = 1n;
  #leasePending: bigint | undefined;

  constructor(random: Prng, writers: number) {
    this.#random = random;
    this.#writers = Array.from({ length: writers }, (_, i) => new Writer(`w${i}`, random));
  }

  /** Runs until the server at `address` is gone; tells of the first write that was acknowledged. */
  async run(address: string, onFirst: () => void): Promise<Load> {
    const client = new TestClient(address);
    const watch = client.watch();
    const all = Buffer.from([0]);
    const before = this.#count();
    watch.send({ create: { key: all, rangeEnd: all, startRevision: this.#compactedMax + 1n } });
    let isFirst = true;
    const onAcknowledged = (): void => {
      if (isFirst) onFirst();
      isFirst = false;
    };
    await Promise.all([
      ...this.#writers.map((writer) => writer.run(client, onAcknowledged)),
      this.#grantLeases(client),
      this.#compact(client),
      watch.untilEnd(60_000),
    ]);
    this.#remember(watch.received);
    client.close();
    return { acknowledgements: this.#count() - before, revisionMax: this.#revisionMax() };
  }

  #count(): number {
    return this.#writers.reduce((sum, writer) => sum + writer.acknowledgements, 0);
  }

  #revisionMax(): bigint {
    return this.#writers.reduce((max, w) => (w.revisionMax > max ? w.revisionMax : max), 0n);
  }

  async #grantLeases(client: TestClient): Promise<void> {
    for (;;) {
      const id = this.#leaseNext++;
      this.#leasePending = id;
      const answer = await client.call(METHODS.leaseGrant, { id, ttl: 100_000n });
      if (!answer.ok) {
        if (isGone(answer.refusal.code)) return;
        throw new Error(`lease grant: ${answer.refusal.code} ${answer.refusal.message}`);
      }
      this.#leases.add(id);
      this.#leasePending = undefined;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #compact(client: TestClient): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 50 + this.#random.below(200)));
      const revision = this.#revisionMax() - 100n;
      if (revision <= this.#compactedMax) {
        const answer = await client.call(METHODS.range, { key: Buffer.from("x") });
        if (!answer.ok) return;
        continue;
      }
      this.#compactedMax = revision;
      const answer = await client.call(METHODS.compact, { revision });
      if (answer.ok) continue;
      if (isGone(answer.refusal.code)) return;
      throw new Error(`compact: ${answer.refusal.code} ${answer.refusal.message}`);
    }
  }

  #remember(received: readonly m.WatchResponse[]): void {
    const lines = received.flatMap((response) => response.events.map(eventLine));
    this.#shown = lines;
    const last = received.findLast((response) => response.events.length > 0)?.events.at(-1);
    this.#shownRevisionMax = last?.kv?.modRevision ?? 0n;
  }

  /** Everything that is wrong after a restart. */
  async check(address: string): Promise<string[]> {
    const client = new TestClient(address);
    const all = Buffer.from([0]);
    try {
      const range = await client.must(METHODS.range, { key: all, rangeEnd: all });
      const revision = range.header?.revision ?? 0n;
      const found = new Map<string, { value: string; revision: bigint }>();
      for (const kv of range.kvs) {
        const value = kv.value.toString("latin1");
        found.set(kv.key.toString("latin1"), { value, revision: kv.modRevision });
      }
      const problems = this.#writers.flatMap((writer) => writer.check(found));
      for (const key of found.keys()) {
        if (!/^w\d+\/\d+$/.test(key)) problems.push(`key ${JSON.stringify(key)} was never written`);
      }
      if (revision < this.#revisionMax()) {
        problems.push(`revision ${revision} is below ${this.#revisionMax()}, acknowledged`);
      }
      problems.push(...(await this.#checkLeases(client)));
      problems.push(...(await this.#checkHistory(client, revision)));
      return problems;
    } finally {
      client.close();
    }
  }

  async #checkLeases(client: TestClient): Promise<string[]> {
    const { leases } = await client.must(METHODS.leaseLeases, {});
    const found = new Set(leases.map((lease) => lease.id));
    const lost = [...this.#leases].filter((id) => !found.has(id));
    const strange = [...found].filter((id) => !this.#leases.has(id) && id !== this.#leasePending);
    for (const id of found) this.#leases.add(id);
    return [
      ...lost.map((id) => `lease ${id} was granted and is gone`),
      ...strange.map((id) => `lease ${id} was never asked for`),
    ];
  }

  /** What a watch was shown before the crash must be history after it, word for word. */
  async #checkHistory(client: TestClient, revision: bigint): Promise<string[]> {
    const from = this.#compactedMax + 1n;
    const watch: Duplex<m.WatchRequest, m.WatchResponse> = client.watch();
    const all = Buffer.from([0]);
    watch.send({ create: { key: all, rangeEnd: all, startRevision: from } });
    const isAllThere = (received: readonly m.WatchResponse[]): boolean =>
      received.some((r) => r.canceled || (r.events.at(-1)?.kv?.modRevision ?? 0n) >= revision);
    // Nothing has happened at revision 1.
    if (from <= revision && revision > 1n) {
      await watch.until(isAllThere).catch(() => {
        const last = watch.received.findLast((r) => r.events.length > 0)?.events.at(-1);
        throw new Error(
          `history from ${from} to ${revision} is not all there: ${watch.received.length} ` +
            `responses, last revision ${last?.kv?.modRevision}`,
        );
      });
    }
    const now = watch.received.flatMap((response) => response.events);
    watch.cancel();
    const known = now.filter((event) => (event.kv?.modRevision ?? 0n) <= this.#shownRevisionMax);
    const knownLines = new Set(known.map(eventLine));
    const shown = this.#shown.filter((line) => BigInt(line.split(" ")[0] ?? "0") >= from);
    const missing = shown.filter((line) => !knownLines.has(line));
    const extra = this.#shown.length === 0 ? 0 : knownLines.size - new Set(shown).size;
    const problems = missing
      .slice(0, 5)
      .map((line) => `a watch was shown "${line}", now not there`);
    if (missing.length === 0 && extra > 0)
      problems.push(`${extra} events were never shown to a watch`);
    return problems;
  }
}

function eventLine(event: m.Event): string {
  const key = event.kv?.key.toString("latin1") ?? "";
  const value = event.kv?.value.toString("latin1") ?? "";
  return `${event.kv?.modRevision ?? 0n} ${event.type === 1 ? "delete" : "put"} ${key} ${value}`;
}
