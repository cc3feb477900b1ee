/** A client that watches everything on one member, and goes on where it was after each break. */
import type { ClusterMember } from "../harness/cluster.ts";
import type * as m from "../harness/messages.ts";
import type { HistoryEvent } from "./history.ts";

const EVERYTHING = Buffer.from([0]);
const HOUR_MS = 3_600_000;
const RETRY_MS = 20;

/** The events of a response, as the history has them. */
function eventsOf(response: m.WatchResponse): HistoryEvent[] {
  return response.events.map((event) => ({
    revision: event.kv?.modRevision ?? 0n,
    key: event.kv?.key.toString() ?? "",
    value: event.type === 1 ? undefined : (event.kv?.value.toString() ?? ""),
  }));
}

/** Everything from revision `from` up to `to`, of which there must be something. */
export async function readHistory(
  member: ClusterMember,
  from: bigint,
  to: bigint,
): Promise<HistoryEvent[]> {
  if (from > to) return [];
  const stream = member.client.watch();
  stream.send({ create: { key: EVERYTHING, rangeEnd: EVERYTHING, startRevision: from } });
  const last = (): bigint => stream.received.at(-1)?.events.at(-1)?.kv?.modRevision ?? 0n;
  try {
    await stream.until(() => last() >= to, 30_000);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`history of ${member.name} from ${from} to ${to} ends at ${last()}: ${why}`);
  } finally {
    stream.cancel();
  }
  return stream.received.flatMap(eventsOf).filter((event) => event.revision <= to);
}

export class Watcher {
  readonly member: ClusterMember;
  /** What was shown since the last `take`. */
  #shown: HistoryEvent[] = [];
  #next: bigint;
  #isStopping = false;
  #wake: () => void = () => {};
  readonly #loop: Promise<void>;

  constructor(member: ClusterMember, from: bigint) {
    this.member = member;
    this.#next = from;
    this.#loop = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const stream = this.member.client.watch();
      const create = { key: EVERYTHING, rangeEnd: EVERYTHING, startRevision: this.#next };
      stream.send({ create });
      let taken = 0;
      const look = (received: readonly m.WatchResponse[]): boolean => {
        for (const response of received.slice(taken)) this.#show(response);
        taken = received.length;
        return this.#isStopping;
      };
      // It ends with its member; then a new one starts behind the last event.
      await stream.until(look, HOUR_MS).catch(() => {});
      stream.cancel();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  #show(response: m.WatchResponse): void {
    const events = eventsOf(response);
    this.#shown.push(...events);
    const last = events.at(-1);
    if (last !== undefined) this.#next = last.revision + 1n;
    this.#wake();
  }

  /** Everything that was shown up to `revision`, once that has come. */
  async take(revision: bigint, deadlineMs = 30_000): Promise<HistoryEvent[]> {
    const giveUpAt = performance.now() + deadlineMs;
    while (this.#next <= revision) {
      const left = giveUpAt - performance.now();
      if (left <= 0) {
        throw new Error(
          `a watch on ${this.member.name} came to ${this.#next - 1n}, not ${revision}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const taken = this.#shown.filter((event) => event.revision <= revision);
    this.#shown = this.#shown.filter((event) => event.revision > revision);
    return taken;
  }

  /** Its member's client must be closed, or the member gone. */
  stop(): void {
    this.#isStopping = true;
  }

  get ended(): Promise<void> {
    return this.#loop;
  }
}
