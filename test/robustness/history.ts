/**
 * What clients of a cluster were told, and whether it can be true. A store with revisions has one
 * order of everything, which a watch from the beginning tells. Against it stands each answer:
 *
 * 1. a write that was acknowledged is in the history at its revision, with its keys and values;
 * 2. everything in the history was asked for by someone;
 * 3. an answer's revision is not below any that a client knew before it asked (real time);
 * 4. a read shows the state at its revision: linearizable reads at a revision that obeys 3.
 *
 * Together these are linearizability, without a search: the revisions are the witness.
 */

export interface HistoryEvent {
  readonly revision: bigint;
  readonly key: string;
  /** undefined = deleted. */
  readonly value: string | undefined;
}

export interface Change {
  readonly key: string;
  readonly value: string | undefined;
}

interface AcknowledgedWrite {
  readonly changes: readonly Change[];
  readonly revision: bigint;
  readonly floor: bigint;
  /** A delete of what was not there changes nothing: it is a read of nothing. */
  readonly hasChanged: boolean;
}

interface AnsweredRead {
  readonly key: string;
  readonly value: string | undefined;
  readonly revision: bigint;
  /** undefined for a serializable read. */
  readonly floor: bigint | undefined;
}

const PROBLEMS_MAX = 10;

export class History {
  /** The greatest revision that any answer has named. */
  #known = 0n;
  #writes: AcknowledgedWrite[] = [];
  #reads: AnsweredRead[] = [];
  readonly #issued = new Map<string, Set<string | undefined>>();
  /** By key, in the order of revisions: everything that was checked so far. */
  readonly #states = new Map<string, HistoryEvent[]>();
  #checkedRevision = 0n;

  /** To be asked before a request is sent. */
  get floor(): bigint {
    return this.#known;
  }

  /** Everything up to this revision has been checked. */
  get checkedRevision(): bigint {
    return this.#checkedRevision;
  }

  get acknowledgedCount(): number {
    return this.#writes.length;
  }

  get readCount(): number {
    return this.#reads.length;
  }

  /** Before the first attempt of a write. */
  issue(changes: readonly Change[]): void {
    for (const { key, value } of changes) {
      let values = this.#issued.get(key);
      if (values === undefined) this.#issued.set(key, (values = new Set()));
      values.add(value);
    }
  }

  acknowledge(
    changes: readonly Change[],
    answer: { revision: bigint; floor: bigint; hasChanged: boolean },
  ): void {
    this.#writes.push({ changes, ...answer });
    this.#learn(answer.revision);
  }

  answerRead(read: AnsweredRead): void {
    this.#reads.push(read);
    if (read.floor !== undefined) this.#learn(read.revision);
  }

  #learn(revision: bigint): void {
    if (revision > this.#known) this.#known = revision;
  }

  /**
   * `events` are all after `checkedRevision` up to now, in order. Returns what is wrong, and takes
   * the history over, so that the next check starts behind it.
   */
  check(events: readonly HistoryEvent[]): string[] {
    const problems = new Problems();
    const byRevision = new Map<bigint, Map<string, string | undefined>>();
    let last = this.#checkedRevision;
    for (const event of events) {
      const { revision, key, value } = event;
      if (revision < last) problems.add(`history: revision ${revision} after ${last}`);
      last = revision;
      const at = byRevision.get(revision) ?? new Map<string, string | undefined>();
      byRevision.set(revision, at.set(key, value));
      if (this.#issued.get(key)?.has(value) !== true) {
        problems.add(`history: ${revision} ${show(key, value)} was asked for by nobody`);
      }
      const states = this.#states.get(key);
      if (states === undefined) this.#states.set(key, [event]);
      else states.push(event);
    }
    for (const write of this.#writes) this.#checkWrite(write, byRevision, problems);
    for (const read of this.#reads) this.#checkRead(read, problems);
    if (this.#known > last) {
      problems.add(`revision ${this.#known} was acknowledged, the history ends at ${last}`);
    }
    this.#checkedRevision = last;
    this.#writes = [];
    this.#reads = [];
    return problems.lines;
  }

  #checkWrite(
    write: AcknowledgedWrite,
    byRevision: ReadonlyMap<bigint, ReadonlyMap<string, string | undefined>>,
    problems: Problems,
  ): void {
    const { revision, floor, changes, hasChanged } = write;
    if (revision < floor) problems.add(`a write was answered with ${revision}, known was ${floor}`);
    if (!hasChanged) {
      for (const { key } of changes)
        this.#checkRead({ key, value: undefined, revision, floor }, problems);
      return;
    }
    const at = byRevision.get(revision);
    for (const { key, value } of changes) {
      if (at?.has(key) === true && at.get(key) === value) continue;
      const found = at === undefined ? "nothing" : [...at].map(([k, v]) => show(k, v)).join(", ");
      problems.add(`acknowledged: ${revision} ${show(key, value)}; the history has ${found}`);
    }
  }

  #checkRead(read: AnsweredRead, problems: Problems): void {
    const { key, value, revision, floor } = read;
    if (floor !== undefined && revision < floor) {
      problems.add(`a linearizable read of ${key} saw revision ${revision}, known was ${floor}`);
    }
    const state = this.stateAt(key, revision);
    if (state !== value) {
      const shown = show(key, value);
      problems.add(`a read at ${revision} saw ${shown}, the history has ${show(key, state)}`);
    }
  }

  /** The value of a key at a revision, by what was checked. */
  stateAt(key: string, revision: bigint): string | undefined {
    const states = this.#states.get(key) ?? [];
    let lo = 0;
    let hi = states.length;
    while (lo < hi) {
      const middle = (lo + hi) >> 1;
      if ((states[middle] as HistoryEvent).revision <= revision) lo = middle + 1;
      else hi = middle;
    }
    return states[lo - 1]?.value;
  }
}

class Problems {
  readonly lines: string[] = [];

  add(line: string): void {
    if (this.lines.length < PROBLEMS_MAX) this.lines.push(line);
  }
}

function show(key: string, value: string | undefined): string {
  return value === undefined ? `delete ${key}` : `${key} = ${JSON.stringify(value.slice(0, 30))}`;
}
