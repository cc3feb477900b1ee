/**
 * Clients of a store that work on their own, by a profile, and record everything that they do and
 * are told: the same for simulated clusters and for processes.
 */
import type { Prng } from "../../src/base/index.ts";
import { ClientSide, LEASE_TTL_MAX_SECONDS } from "./client-side.ts";
import { Controller } from "./controller.ts";
import type { World } from "./endpoint.ts";
import type { HistoryEvent, RunRecord } from "./history.ts";
import { LeaseHolder } from "./lease-holder.ts";
import { MixedClient } from "./mixed-client.ts";
import { Operator } from "./operator.ts";
import type { Profile } from "./profiles.ts";
import { Spectator } from "./spectator.ts";

export class Traffic {
  readonly side: ClientSide;
  #running: Promise<void>[] = [];
  #operating: Promise<void> = Promise.resolve();
  readonly #spectators: Spectator[] = [];

  constructor(world: World, profile: Profile, prng: Prng) {
    this.side = new ClientSide(world, profile, prng);
  }

  /** May be called again after `stop`. */
  start(): void {
    const { side } = this;
    side.isOver = false;
    const { clients, leaseClients, controllers, watchers, compactEveryMs } = side.profile;
    const times = (count: number, make: (number: number) => Promise<void>): void => {
      for (let number = 1; number <= count; number += 1) this.#running.push(make(number));
    };
    times(clients, (number) => new MixedClient(side, `client${number}`).run());
    times(leaseClients, (number) => new LeaseHolder(side, `holder${number}`).run());
    times(controllers, (number) => new Controller(side, `controller${number}`).run());
    times(watchers, (number) => {
      const spectator = new Spectator(side, `watcher${number}`);
      this.#spectators.push(spectator);
      return spectator.run();
    });
    if (compactEveryMs > 0) this.#running.push(this.#compact());
    if (side.profile.hasAlarms) this.#operating = new Operator(side).run();
  }

  /** Settles when nothing is left that would refuse writes. */
  get quieted(): Promise<void> {
    return this.#operating;
  }

  /** No new calls; settles when those under way are answered. Watches go on. */
  async stop(): Promise<void> {
    this.side.isOver = true;
    await Promise.all(this.#running);
    this.#running = [];
  }

  /** Everything has come that will: watches that are open now must have been shown all. */
  end(): void {
    for (const spectator of this.#spectators) spectator.end();
  }

  /** After so long all leases must have ended by themselves. */
  get leaseMaxMs(): number {
    return LEASE_TTL_MAX_SECONDS * 1_000;
  }

  record(chronicle: ReadonlyMap<number, readonly HistoryEvent[]>, endRevision: number): RunRecord {
    const { calls, watches } = this.side.recorder;
    return { calls, watches, chronicle, endRevision };
  }

  async #compact(): Promise<void> {
    const { side } = this;
    const { compactEveryMs, compactKeep } = side.profile;
    for (;;) {
      await side.world.sleep(compactEveryMs / 2 + side.prng.below(compactEveryMs));
      if (side.isOver) return;
      const revision = side.known - side.prng.below(compactKeep) - side.prng.below(compactKeep);
      if (revision > 1) await side.ask("compactor", { kind: "compact", revision });
    }
  }
}
