import type { Core } from "./core.ts";
import { METHODS } from "./methods.ts";
import type { CallOptions, MemberAddResponse, MemberListResponse } from "./types.ts";

export interface MemberListOptions extends CallOptions {
  /** False: as the member asked knows it, which may be old. Default true. */
  readonly linearizable?: boolean | undefined;
}

/** The members of the cluster. */
export class Cluster {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  memberList(options: MemberListOptions = {}): Promise<MemberListResponse> {
    const linearizable = options.linearizable ?? true;
    return this.#core.unary(METHODS.memberList, { linearizable }, options);
  }

  memberAdd(
    peerUrls: readonly string[],
    options: CallOptions & { readonly isLearner?: boolean | undefined } = {},
  ): Promise<MemberAddResponse> {
    const isLearner = options.isLearner ?? false;
    return this.#core.unary(METHODS.memberAdd, { peerUrls, isLearner }, options);
  }

  memberRemove(id: bigint, options: CallOptions = {}): Promise<MemberListResponse> {
    return this.#core.unary(METHODS.memberRemove, { id }, options);
  }

  memberUpdate(
    id: bigint,
    peerUrls: readonly string[],
    options: CallOptions = {},
  ): Promise<MemberListResponse> {
    return this.#core.unary(METHODS.memberUpdate, { id, peerUrls }, options);
  }

  /** Makes a learner that has caught up a voting member. */
  memberPromote(id: bigint, options: CallOptions = {}): Promise<MemberListResponse> {
    return this.#core.unary(METHODS.memberPromote, { id }, options);
  }
}
