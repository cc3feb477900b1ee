/**
 * Somebody on each member who is shown everything from the beginning: together they tell what
 * happened, and none may tell anything else than the others.
 */
import type { Endpoint } from "../model/endpoint.ts";
import type { HistoryEvent, Problem, Recorder, WatchRecord } from "../model/history.ts";
import { sameEvents } from "../model/replay.ts";

const EVERYTHING = {
  key: "a",
  rangeEnd: "z",
  wantsPrevious: false,
  wantsProgress: false,
  filter: "none",
} as const;
const RETRY_MS = 20;

export class Chronicler {
  readonly #endpoint: Endpoint;
  readonly #recorder: Recorder;
  #current: WatchRecord | undefined;
  #next = 1;
  #isOver = false;
  #close: () => void = () => undefined;

  constructor(endpoint: Endpoint, recorder: Recorder) {
    this.#endpoint = endpoint;
    this.#recorder = recorder;
    this.#open();
  }

  #open(): void {
    if (this.#isOver) return;
    const request = { ...EVERYTHING, startRevision: this.#next };
    const watch = this.#recorder.watch("chronicler", this.#endpoint.name, request);
    this.#current = watch;
    const again = (): void => {
      if (this.#current !== watch) return;
      this.#current = undefined;
      setTimeout(() => this.#open(), RETRY_MS);
    };
    const handle = this.#endpoint.watch(request, {
      created: (revision) => {
        watch.createdRevision ??= revision;
      },
      response: (response) => {
        if (this.#current !== watch) return;
        this.#recorder.responded(watch, response);
        const last = response.events.at(-1);
        if (last !== undefined) this.#next = last.pair.modRevision + 1;
        if (!response.isCanceled) return;
        // What was compacted meanwhile is told by the others.
        this.#next = Math.max(this.#next, response.compactRevision);
        again();
      },
      ended: again,
    });
    this.#close = () => handle.close();
  }

  /** All up to here was shown. */
  get revision(): number {
    return this.#next - 1;
  }

  /** Everything has come, so that what did not come was lost. */
  end(): void {
    if (this.#current !== undefined) {
      this.#current.isOpenAtEnd = this.#current.createdRevision !== undefined;
    }
    this.drop();
  }

  /** Its member is gone. */
  drop(): void {
    this.#isOver = true;
    this.#current = undefined;
    this.#close();
  }
}

/** What all of them were shown, and where they were not shown the same. */
export function chronicleOf(watches: readonly WatchRecord[]): {
  chronicle: Map<number, readonly HistoryEvent[]>;
  problems: Problem[];
} {
  const chronicle = new Map<number, readonly HistoryEvent[]>();
  const problems: Problem[] = [];
  for (const watch of watches) {
    if (watch.client !== "chronicler") continue;
    for (const [revision, events] of byRevision(watch)) {
      const known = chronicle.get(revision);
      if (known === undefined) chronicle.set(revision, events);
      else if (!sameEvents(known, events)) {
        const text = `revision ${revision} on ${watch.member} is not what another member showed`;
        problems.push({ check: "members differ", text });
      }
    }
  }
  return { chronicle, problems };
}

function byRevision({ responses }: WatchRecord): Map<number, HistoryEvent[]> {
  const found = new Map<number, HistoryEvent[]>();
  for (const { events } of responses) {
    for (const event of events) {
      const { modRevision } = event.pair;
      const list = found.get(modRevision) ?? [];
      found.set(modRevision, list);
      list.push(event);
    }
  }
  return found;
}
