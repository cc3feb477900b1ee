/** A run written down by hand, for the tests of its judges. Time is the number of the step. */
import type {
  HistoryEvent,
  Operation,
  Outcome,
  Pair,
  Problem,
  Request,
  Result,
  RunRecord,
  WatchRecord,
  WatchRequest,
} from "./history.ts";
import { kv, range, Recorder } from "./history.ts";
import { deletedPair, Replay } from "./replay.ts";
import type { StoreContent } from "./store-checks.ts";
import { judge } from "./verdict.ts";

export interface Open {
  /** Answers with this revision what the state there is, or what is given. */
  done(revision: number, results?: readonly Result[], isSuccess?: boolean): void;
  refused(error: string): void;
}

export class RunOfHand {
  #nowMs = 0;
  readonly recorder = new Recorder(() => (this.#nowMs += 100));
  readonly chronicle = new Map<number, HistoryEvent[]>();
  readonly replay = new Replay();
  leasesLeft: string[] = [];
  stores: StoreContent[] = [];

  /** What the members applied at the next revision. */
  happens(...events: HistoryEvent[]): number {
    const revision = this.replay.revision + 1;
    this.chronicle.set(revision, events);
    this.replay.append(revision, events);
    return revision;
  }

  put(key: string, value: string, lease = "0"): number {
    const { events } = this.replay.execute(kv([{ kind: "put", key, value, lease }]));
    return this.happens(...events);
  }

  delete(...keys: string[]): number {
    const revision = this.replay.revision + 1;
    return this.happens(
      ...keys.map((key): HistoryEvent => ({ type: "delete", pair: deletedPair(key, revision) })),
    );
  }

  call(request: Request, client = "c"): Open {
    const call = this.recorder.call(client, "m1", request);
    const answer = (outcome: Outcome): void => this.recorder.returned(call, outcome);
    return {
      done: (revision, results, isSuccess) => {
        const isKv = request.kind === "kv";
        const isWrite = isKv && request.success.some(({ kind }) => kind !== "range");
        const base = isWrite ? revision - 1 : revision;
        const due = isKv ? this.replay.execute(request, base) : { isSuccess: true, results: [] };
        const response = {
          revision,
          isSuccess: isSuccess ?? due.isSuccess,
          results: results ?? due.results,
          ttlSeconds: request.kind === "grant" ? request.ttlSeconds : 0,
        };
        answer({ kind: "ok", response });
      },
      refused: (error) => answer({ kind: "refused", error }),
    };
  }

  /** Called, done and answered. */
  putNow(key: string, value: string, lease = "0"): number {
    const open = this.call(putOf(key, value, lease));
    const revision = this.put(key, value, lease);
    open.done(revision);
    return revision;
  }

  readNow(key: string, revision = this.replay.revision): void {
    this.call(kv([range(key)])).done(revision);
  }

  pause(ms: number): void {
    this.#nowMs += ms;
  }

  watch(request: Partial<WatchRequest> = {}, createdRevision = 1): WatchRecord {
    const watch = this.recorder.watch("w", "m1", { ...EVERYTHING, ...request });
    watch.createdRevision = createdRevision;
    return watch;
  }

  /** One response with everything that happened at these revisions. */
  show(watch: WatchRecord, ...revisions: number[]): void {
    const events = revisions.flatMap((revision) => this.chronicle.get(revision) ?? []);
    this.showEvents(watch, events);
  }

  showEvents(watch: WatchRecord, events: readonly HistoryEvent[], isFragment = false): void {
    const revision = this.replay.revision;
    this.recorder.responded(watch, { ...RESPONSE, revision, events, isFragment });
  }

  progress(watch: WatchRecord, revision: number): void {
    this.recorder.responded(watch, { ...RESPONSE, revision, isProgress: true });
  }

  cancel(watch: WatchRecord, compactRevision: number): void {
    const { revision } = this.replay;
    this.recorder.responded(watch, { ...RESPONSE, revision, isCanceled: true, compactRevision });
  }

  get record(): RunRecord {
    const { calls, watches } = this.recorder;
    return { calls, watches, chronicle: this.chronicle, endRevision: this.replay.revision };
  }

  judge(): Problem[] {
    const { leasesLeft, stores } = this;
    const ending = { leasesLeft, leaseToleranceMs: 0, compactedRevision: 0, stores };
    return judge(this.record, ending);
  }

  /** The names of the checks that found something. */
  get found(): string[] {
    return [...new Set(this.judge().map(({ check }) => check))];
  }
}

const EVERYTHING: WatchRequest = {
  key: "a",
  rangeEnd: "z",
  startRevision: 1,
  wantsPrevious: false,
  wantsProgress: false,
  filter: "none",
};

const RESPONSE = {
  events: [],
  isProgress: false,
  isFragment: false,
  isCanceled: false,
  compactRevision: 0,
};

export function putOf(key: string, value: string, lease = "0"): Request {
  return kv([{ kind: "put", key, value, lease } satisfies Operation]);
}

export function deleteOf(key: string): Request {
  return kv([{ kind: "delete", key, rangeEnd: "" }]);
}

export function withPrevious(event: HistoryEvent, previous: Pair | undefined): HistoryEvent {
  return { ...event, previous };
}
