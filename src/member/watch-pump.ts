/** Drives the watch hub: a bounded step at a time, on whatever store the member has now. */
import type { Store } from "../mvcc/index.ts";
import type { Entropy, Timers } from "../seam/index.ts";
import { createWatchHub, type WatchHub, type WatchSink, type WatchStream } from "../watch/index.ts";
import { WATCH_STEP_WORK } from "./limits.ts";

export interface WatchPumpOptions {
  readonly store: () => Store;
  /** What the store holds is in doubt: nobody is told of it. */
  readonly isPaused: () => boolean;
  readonly progressIntervalMs: number;
  readonly fragmentBytesMax: number;
  readonly timers: Timers;
  readonly entropy: Entropy;
  /** What is read for a watch is not what was written. */
  readonly onBroken: (error: Error) => void;
}

export class WatchPump {
  readonly hub: WatchHub;
  readonly #options: WatchPumpOptions;
  #isPlanned = false;

  constructor(options: WatchPumpOptions) {
    this.#options = options;
    const { store, progressIntervalMs, fragmentBytesMax } = options;
    const watched = {
      get currentRevision() {
        return store().currentRevision;
      },
      get compactRevision() {
        return store().compactRevision;
      },
      get: (key: string, revision: number) => store().get(key, revision),
      changesFrom: (lo: number, maxChanges: number) => store().changesFrom(lo, maxChanges),
    };
    this.hub = createWatchHub(watched, { progressIntervalMs, fragmentBytesMax });
    this.hub.onWork = () => this.#plan();
  }

  openStream(sink: WatchSink): WatchStream {
    // Up to a tenth of the interval, so that streams opened together are not told together (WA-12).
    const share = this.#options.entropy.bytes(2).readUInt16BE(0) / 0x1_0000;
    return this.hub.openStream(sink, share);
  }

  step(): void {
    if (this.#options.isPaused()) return;
    try {
      if (this.hub.step(WATCH_STEP_WORK)) this.#plan();
    } catch (error) {
      this.#options.onBroken(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#options.timers.soon(() => {
      this.#isPlanned = false;
      this.step();
    });
  }
}
