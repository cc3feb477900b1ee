/** A client that watches, starting somewhere near the newest revision, for a while each time. */
import type { ClientSide } from "./client-side.ts";
import type { WatchHandle } from "./endpoint.ts";
import type { WatchRecord, WatchRequest } from "./history.ts";

const LIFE_MAX_MS = 6_000;
/** Everything that the clients of a run write. */
const EVERYTHING = { key: "a", rangeEnd: "z" };

export class Spectator {
  readonly #side: ClientSide;
  readonly #name: string;
  #watch: WatchRecord | undefined;
  #handle: WatchHandle | undefined;
  #next = 1;

  constructor(side: ClientSide, name: string) {
    this.#side = side;
    this.#name = name;
  }

  async run(): Promise<void> {
    const side = this.#side;
    while (!side.isOver) {
      if (this.#watch === undefined) this.#open();
      const steps = 1 + side.prng.below(5);
      for (let left = steps; left > 0 && !side.isOver; left -= 1) {
        await side.rest(LIFE_MAX_MS / steps);
        if (side.prng.chance(0.5)) this.#handle?.requestProgress();
      }
      if (!side.isOver) this.#close();
    }
    // The last one stays to the end, and must be shown all.
    if (this.#watch === undefined) this.#open();
  }

  /** To be called when everything has come. */
  end(): void {
    if (this.#watch !== undefined)
      this.#watch.isOpenAtEnd = this.#watch.createdRevision !== undefined;
    this.#close();
  }

  #open(): void {
    const side = this.#side;
    const endpoint = side.pick();
    if (endpoint === undefined) return;
    const request = this.#choose();
    const watch = side.recorder.watch(this.#name, endpoint.name, request);
    this.#watch = watch;
    const isMine = (): boolean => this.#watch === watch;
    this.#handle = endpoint.watch(request, {
      created: (revision) => {
        watch.createdRevision ??= revision;
      },
      response: (response) => {
        if (!isMine()) return;
        side.recorder.responded(watch, response);
        const last = response.events.at(-1);
        if (last !== undefined) this.#next = Math.max(this.#next, last.pair.modRevision + 1);
        if (response.isCanceled) this.#forget();
      },
      ended: () => {
        if (isMine()) this.#forget();
      },
    });
  }

  #choose(): WatchRequest {
    const { prng, known, profile } = this.#side;
    const { watchOffsetMin, watchOffsetMax } = profile;
    const dice = prng.below(10);
    let startRevision = 0;
    // As a client that goes on where it was, or anywhere around, or from now on.
    if (dice < 4) startRevision = this.#next;
    else if (dice < 8) {
      const offset = watchOffsetMin + prng.below(watchOffsetMax - watchOffsetMin + 1);
      startRevision = Math.max(1, known + offset);
    }
    const range = prng.chance(0.7)
      ? EVERYTHING
      : { key: `k/${prng.below(profile.keys)}`, rangeEnd: "" };
    return {
      ...range,
      startRevision,
      wantsPrevious: prng.chance(0.5),
      wantsProgress: prng.chance(0.6),
      filter: prng.chance(0.8) ? "none" : prng.pick(["noPut", "noDelete"] as const),
    };
  }

  #forget(): void {
    this.#watch = undefined;
    this.#handle = undefined;
  }

  #close(): void {
    const handle = this.#handle;
    this.#forget();
    handle?.close();
  }
}
