/**
 * Clients of a cluster under test: writers, readers and a lease holder that send each request to
 * any member, try again elsewhere when it is refused or not answered, and write down everything
 * that they were told in a `History`.
 */
import type { Prng } from "../../src/base/index.ts";
import { type Answer, METHODS, type Refusal } from "../harness/client.ts";
import type { ClusterMember } from "../harness/cluster.ts";
import type { Header } from "../harness/messages.ts";
import type { Change, History } from "./history.ts";

const KEYS_PER_WRITER = 6;
/** Less than an election, so that a client that hangs on a lost member moves on. */
const ATTEMPT_MS = 1_000;
/** A write that does not come through in this time has failed. */
const WRITE_MS_MAX = 60_000;
/** What a client waits before it asks again: less than a connection to a started member takes. */
const RETRY_MS = 10;
const LEASE_TTL_SECONDS = 20n;
const LEASE_KEY = "lease/kept";

/** What a client may meet while members come and go; anything else is a fault. */
function isTransient({ code, message }: Refusal): boolean {
  // Cancelled, deadline, exhausted, unavailable; and what etcd says in words of its own while
  // leadership is in doubt.
  if ([1, 4, 8, 14].includes(code)) return true;
  return /proposal dropped|context (canceled|deadline)|for learner|primary lessor/.test(message);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export interface LoadOptions {
  /** Who is asked, anew for each attempt. */
  readonly members: () => readonly ClusterMember[];
  readonly history: History;
  readonly random: Prng;
  readonly writers: number;
  readonly readers: number;
  /** Each client asks one member until that refuses, else any member each time. */
  readonly isSticky?: boolean;
}

export class Load {
  acknowledgements = 0;
  reads = 0;
  /** Attempts that were refused or not answered. */
  retries = 0;
  /** The longest time between two acknowledgements of anyone since `resetGap`. */
  gapMs = 0;
  readonly problems: string[] = [];
  readonly #options: LoadOptions;
  #loops: Promise<void>[] = [];
  #isStopping = false;
  #isAbandoned = false;
  #acknowledgedMs = 0;
  #sequence = 0;
  #wakes: (() => void)[] = [];
  #leaseId = 0n;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isStopping = false;
    this.resetGap();
    for (let i = 0; i < this.#options.writers; i += 1) this.#loops.push(this.#write(i));
    for (let i = 0; i < this.#options.readers; i += 1) this.#loops.push(this.#read());
    this.#loops.push(this.#keepLease());
  }

  resetGap(): void {
    this.gapMs = 0;
    this.#acknowledgedMs = performance.now();
  }

  /** Resolves when so many more writes were acknowledged. */
  async acknowledged(more: number): Promise<void> {
    const wanted = this.acknowledgements + more;
    const giveUpAt = performance.now() + WRITE_MS_MAX;
    while (this.acknowledgements < wanted) {
      const left = giveUpAt - performance.now();
      if (left <= 0) throw new Error(`no ${more} writes were acknowledged in ${WRITE_MS_MAX} ms`);
      await this.#next(left);
    }
  }

  #next(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wakes.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** For the way out after a failure: nothing is asked again. */
  async abandon(): Promise<void> {
    this.#isAbandoned = true;
    await this.stop();
  }

  /** Ends after the requests under way; each write is acknowledged by then, or failed. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#loops);
    this.#loops = [];
  }

  #pick(): ClusterMember | undefined {
    const members = this.#options.members();
    return members.length === 0 ? undefined : this.#options.random.pick(members);
  }

  /** Asks until it is answered. undefined after WRITE_MS_MAX, which is a problem. */
  async #ask<T>(
    what: string,
    ask: (member: ClusterMember) => Promise<Answer<T>>,
  ): Promise<T | undefined> {
    const giveUpAt = performance.now() + WRITE_MS_MAX;
    let last: Refusal | undefined;
    while (performance.now() < giveUpAt && !this.#isAbandoned) {
      const member = this.#pick();
      const answer = member === undefined ? undefined : await ask(member);
      if (answer?.ok === true) return answer.value;
      last = answer?.refusal;
      if (last !== undefined && !isTransient(last)) break;
      this.retries += 1;
      await pause(RETRY_MS);
    }
    this.problems.push(`${what} failed: ${last?.code} ${last?.message}`);
    return undefined;
  }

  async #write(writer: number): Promise<void> {
    while (!this.#isStopping) {
      const changes = this.#choose(writer);
      const { history } = this.#options;
      history.issue(changes);
      let floor = history.floor;
      const answer = await this.#ask(`write of ${changes[0]?.key}`, (member) => {
        floor = history.floor;
        return send(member, changes);
      });
      if (answer === undefined) return;
      history.acknowledge(changes, { floor, ...answer });
      this.#count();
    }
  }

  #count(): void {
    const nowMs = performance.now();
    this.gapMs = Math.max(this.gapMs, nowMs - this.#acknowledgedMs);
    this.#acknowledgedMs = nowMs;
    this.acknowledgements += 1;
    const wakes = this.#wakes;
    this.#wakes = [];
    for (const wake of wakes) wake();
  }

  /** Each value is written once, so that an answer can be told from any other. */
  #choose(writer: number): Change[] {
    const { random } = this.#options;
    const key = (): string => `w${writer}/${random.below(KEYS_PER_WRITER)}`;
    const value = (): string => `${this.#sequence++}:${"x".repeat(random.below(300))}`;
    const dice = random.below(100);
    const first = key();
    if (dice < 15) return [{ key: first, value: undefined }];
    const second = key();
    if (dice < 70 || first === second) return [{ key: first, value: value() }];
    return [
      { key: first, value: value() },
      { key: second, value: value() },
    ];
  }

  async #read(): Promise<void> {
    const { random, history, writers } = this.#options;
    while (!this.#isStopping) {
      const member = this.#pick();
      const key = `w${random.below(writers)}/${random.below(KEYS_PER_WRITER)}`;
      const serializable = random.chance(0.3);
      const { floor } = history;
      const request = { key: Buffer.from(key), serializable };
      const options = { deadlineMs: ATTEMPT_MS };
      const answer = await member?.client.call(METHODS.range, request, options);
      if (answer?.ok === true) {
        this.reads += 1;
        const { header, kvs } = answer.value;
        const value = kvs[0]?.value.toString();
        const seen = serializable ? undefined : floor;
        history.answerRead({ key, value, revision: revisionOf(header), floor: seen });
      } else {
        if (answer !== undefined && !isTransient(answer.refusal)) {
          this.problems.push(`read failed: ${answer.refusal.code} ${answer.refusal.message}`);
          return;
        }
        await pause(RETRY_MS);
      }
    }
  }

  /** A lease that is kept must not expire, whoever leads; its key's end would be in the history. */
  async #keepLease(): Promise<void> {
    const { history } = this.#options;
    const call = { deadlineMs: ATTEMPT_MS };
    if (this.#leaseId === 0n) {
      const id = BigInt(this.#options.random.uint32()) + 1n;
      const isGranted = await this.#ask("lease grant", async (member) => {
        const request = { id, ttl: LEASE_TTL_SECONDS };
        const answer = await member.client.call(METHODS.leaseGrant, request, call);
        // An earlier attempt came through without its answer.
        if (answer.ok || /already exists/.test(answer.refusal.message)) return OK;
        return answer;
      });
      if (isGranted === undefined) return;
      const changes = [{ key: LEASE_KEY, value: String(id) }];
      history.issue(changes);
      let floor = history.floor;
      const put = await this.#ask("put with a lease", (member) => {
        floor = history.floor;
        return send(member, changes, id);
      });
      if (put === undefined) return;
      history.acknowledge(changes, { floor, ...put });
      this.#leaseId = id;
    }
    while (!this.#isStopping) {
      await this.#ask("lease keepalive", (member) => renew(member, this.#leaseId));
      await Promise.race([pause(300), this.#next(300)]);
    }
  }
}

const OK = { ok: true, value: true } as const;

function revisionOf(header: Header | undefined): bigint {
  return header?.revision ?? 0n;
}

interface WriteAnswer {
  readonly revision: bigint;
  readonly hasChanged: boolean;
}

async function send(
  member: ClusterMember,
  changes: readonly Change[],
  lease = 0n,
): Promise<Answer<WriteAnswer>> {
  const options = { deadlineMs: ATTEMPT_MS };
  const [only] = changes;
  if (only === undefined) throw new RangeError("a write of nothing");
  const key = Buffer.from(only.key);
  if (changes.length > 1) {
    const success = changes.map((change) => ({
      put: { key: Buffer.from(change.key), value: Buffer.from(change.value ?? "") },
    }));
    const answer = await member.client.call(METHODS.txn, { success }, options);
    return told(answer, () => true);
  }
  if (only.value === undefined) {
    const answer = await member.client.call(METHODS.deleteRange, { key }, options);
    return told(answer, (response) => response.deleted > 0n);
  }
  const put = { key, value: Buffer.from(only.value), lease };
  return told(await member.client.call(METHODS.put, put, options), () => true);
}

function told<R extends { header: Header | undefined }>(
  answer: Answer<R>,
  hasChanged: (response: R) => boolean,
): Answer<WriteAnswer> {
  if (!answer.ok) return answer;
  const { value } = answer;
  return {
    ok: true,
    value: { revision: revisionOf(value.header), hasChanged: hasChanged(value) },
  };
}

/** One renewal on a stream of its own. */
async function renew(member: ClusterMember, id: bigint): Promise<Answer<bigint>> {
  const stream = member.client.keepAlive();
  stream.send({ id });
  try {
    await stream.until((received) => received.length > 0, ATTEMPT_MS);
    const ttl = stream.received[0]?.ttl ?? 0n;
    // 0 = the lease is gone; that must not happen to a lease that was kept.
    if (ttl > 0n) return { ok: true, value: ttl };
    return { ok: false, refusal: { code: 5, message: `lease ${id} is gone` } };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, refusal: stream.status ?? { code: 4, message } };
  } finally {
    stream.cancel();
  }
}
