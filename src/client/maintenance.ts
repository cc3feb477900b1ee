import { AlarmAction } from "../wire/index.ts";
import type { Core } from "./core.ts";
import { ALARM_NUMBERS, METHODS, STREAMS } from "./methods.ts";
import type {
  AlarmKind,
  AlarmResponse,
  CallOptions,
  DowngradeResponse,
  Duplex,
  HashKvResponse,
  HashResponse,
  HealthStatus,
  MaybeHeaderResponse,
  SnapshotChunk,
  StatusResponse,
} from "./types.ts";

const DOWNGRADE_ACTIONS = { validate: 0, enable: 1, cancel: 2 } as const;

/** For the calls that may rightly take long: no limit unless one is given. */
function unlimited(options: CallOptions): CallOptions {
  return { timeoutMs: Number.POSITIVE_INFINITY, ...options };
}

/** Calls about the cluster as a whole; the member that answers does not matter. */
export class Maintenance {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Alarms that are raised: all, or those of one kind. */
  alarms(kind: AlarmKind = "none", options: CallOptions = {}): Promise<AlarmResponse> {
    return this.#alarm(AlarmAction.GET, 0n, kind, options);
  }

  activateAlarm(memberId: bigint, kind: AlarmKind, options: CallOptions = {}) {
    return this.#alarm(AlarmAction.ACTIVATE, memberId, kind, options);
  }

  /** Answers with what was cleared: exactly that member's alarm, or nothing. */
  deactivateAlarm(memberId: bigint, kind: AlarmKind, options: CallOptions = {}) {
    return this.#alarm(AlarmAction.DEACTIVATE, memberId, kind, options);
  }

  #alarm(
    action: number,
    memberId: bigint,
    kind: AlarmKind,
    options: CallOptions,
  ): Promise<AlarmResponse> {
    const request = { action, memberId, alarm: ALARM_NUMBERS[kind] };
    return this.#core.unary(METHODS.alarm, request, options);
  }

  /** `version` is "X.Y". */
  downgrade(
    action: "validate" | "enable" | "cancel",
    version: string,
    options: CallOptions = {},
  ): Promise<DowngradeResponse> {
    const request = { action: DOWNGRADE_ACTIONS[action], version };
    return this.#core.unary(METHODS.downgrade, request, options);
  }
}

/** Calls to one member, named by its endpoint. */
export class MemberClient {
  /** With its scheme. */
  readonly endpoint: string;
  readonly #core: Core;

  constructor(core: Core, endpoint: string) {
    this.#core = core;
    this.endpoint = core.options.endpointUrl(endpoint);
  }

  #here<T extends CallOptions>(options: T): T {
    return { ...options, endpoint: this.endpoint };
  }

  status(options: CallOptions = {}): Promise<StatusResponse> {
    return this.#core.unary(METHODS.status, {}, this.#here(options));
  }

  /** Of the key space at `revision`, 0 = now. */
  hashKv(revision = 0, options: CallOptions = {}): Promise<HashKvResponse> {
    return this.#core.unary(METHODS.hashKv, { revision }, this.#here(options));
  }

  /** Of the member's whole store. */
  hash(options: CallOptions = {}): Promise<HashResponse> {
    return this.#core.unary(METHODS.hash, {}, this.#here(options));
  }

  /** Gives free space of the store's file back. No time limit unless `timeoutMs` is given. */
  defragment(options: CallOptions = {}): Promise<MaybeHeaderResponse> {
    return this.#core.unary(METHODS.defragment, {}, this.#here(unlimited(options)));
  }

  /** To be sent to the leader. */
  moveLeader(targetId: bigint, options: CallOptions = {}): Promise<MaybeHeaderResponse> {
    return this.#core.unary(METHODS.moveLeader, { targetId }, this.#here(options));
  }

  /** gRPC's own health question. */
  health(service = "", options: CallOptions = {}): Promise<HealthStatus> {
    return this.#core.unary(METHODS.health, { service }, this.#here(options));
  }

  /** The member's store as a file in pieces; the last one is its SHA-256 digest. */
  async snapshot(options: CallOptions = {}): Promise<Duplex<Record<never, never>, SnapshotChunk>> {
    const stream = await this.#core.stream(STREAMS.snapshot, this.#here(options));
    await stream.send({});
    stream.halfClose();
    return stream;
  }
}
