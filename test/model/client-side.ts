/** What all clients of a run share: whom they can ask, what they know, and who takes notes. */
import type { Prng } from "../../src/base/index.ts";
import type { Endpoint, World } from "./endpoint.ts";
import { type Outcome, Recorder, type Request } from "./history.ts";
import type { Profile } from "./profiles.ts";

export const LEASE_TTL_MAX_SECONDS = 6;

export class ClientSide {
  readonly world: World;
  readonly profile: Profile;
  readonly recorder: Recorder;
  readonly prng: Prng;
  /** The greatest revision that any answer has named. */
  known = 1;
  isOver = false;
  answered = 0;
  /** Calls that were refused, or not answered. */
  refusals = 0;
  #values = 0;
  #leases = 0;

  constructor(world: World, profile: Profile, prng: Prng) {
    this.world = world;
    this.profile = profile;
    this.prng = prng;
    this.recorder = new Recorder(() => world.nowMs());
  }

  /** Each value is written once, so that it tells who wrote it; a client may try again. */
  newValue(client: string): string {
    this.#values += 1;
    return `${client}-${this.#values}`;
  }

  newLease(): { lease: string; ttlSeconds: number } {
    this.#leases += 1;
    const ttlSeconds = 2 + this.prng.below(LEASE_TTL_MAX_SECONDS - 1);
    return { lease: String(1_000 + this.#leases), ttlSeconds };
  }

  pick(): Endpoint | undefined {
    const endpoints = this.world.endpoints();
    return endpoints.length === 0 ? undefined : this.prng.pick(endpoints);
  }

  rest(maxMs = this.profile.restMaxMs): Promise<void> {
    return this.world.sleep(1 + this.prng.below(maxMs));
  }

  /** One attempt at some member; undefined when there is none to ask. */
  async ask(client: string, request: Request): Promise<Outcome | undefined> {
    const endpoint = this.pick();
    if (endpoint === undefined) return undefined;
    const call = this.recorder.call(client, endpoint.name, request);
    const outcome = await endpoint.call(request, this.profile.timeoutMs);
    this.recorder.returned(call, outcome);
    if (outcome.kind === "ok") {
      this.known = Math.max(this.known, outcome.response.revision);
      this.answered += 1;
    } else {
      this.refusals += 1;
    }
    return outcome;
  }
}
