/**
 * The rules by which the membership changes: what is proposed, what a committed change may do, and
 * what it does to the member table. Pure but for that table.
 *
 * Whether a change conflicts with the members there are is decided when it is applied, on every
 * member alike: the proposer's own table may be behind. Source: surface 5, 15.6, 16.2.
 */
import { decodeMemberRecord, encodeMemberRecord, type MemberRecord } from "../apply/index.ts";
import { MalformedError } from "../base/index.ts";
import { deriveMemberId } from "../datadir/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import { APPEND_THREAD, APPLY_THREAD, NONE } from "../raft/index.ts";
import type { Digests } from "../seam/index.ts";
import { type ConfChange, ConfChangeType, decodeConfChange } from "../wire/index.ts";
import { parsePeerUrls } from "./peer-urls.ts";

/** Learners at once, unless the proposer says otherwise in the change (CL-03). */
const LEARNERS_MAX = 1;
/** Nobody, and the addresses that the consensus uses within a member. */
const RESERVED_IDS: ReadonlySet<bigint> = new Set([NONE, APPEND_THREAD, APPLY_THREAD]);
const EMPTY = Buffer.alloc(0);

/** The member table; `Machine` is one. */
export interface MembershipView {
  members(): readonly MemberRecord[];
  isRemovedMember(id: bigint): boolean;
}

export interface MembershipTable extends MembershipView {
  putMember(member: MemberRecord): void;
  removeMember(id: bigint): void;
}

/** What an applied change did, for the connections to the members to follow. */
export type MembershipEffect =
  | { readonly kind: "added" | "promoted" | "updated"; readonly member: MemberRecord }
  | { readonly kind: "removed"; readonly id: bigint };

export interface AddPlan {
  /** The request's id: whoever waits for the change finds it by this. */
  readonly requestId: bigint;
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
  /** Seconds since the epoch: they make the id new, though the URLs were seen before (ID-01). */
  readonly unixSeconds: number;
  /** The proposer's --max-learners: travels in the change, so that every member judges alike. */
  readonly learnersMax: number;
}

/** CL-01. The member's id is `nodeId` of the change. */
export function planAdd(plan: AddPlan, digests: Digests): ConfChange | EtcdError {
  const peerUrls = parsePeerUrls(plan.peerUrls);
  if (!Array.isArray(peerUrls)) return peerUrls;
  peerUrls.sort();
  const id = deriveMemberId(peerUrls, String(Math.floor(plan.unixSeconds)), digests);
  const { isLearner, learnersMax } = plan;
  const record = { id, peerUrls, isLearner, name: "", clientUrls: [] };
  const says = isLearner && learnersMax !== LEARNERS_MAX;
  const text = encodeMemberRecord(record);
  return {
    id: plan.requestId,
    type: isLearner ? ConfChangeType.ADD_LEARNER : ConfChangeType.ADD_NODE,
    nodeId: id,
    context: Buffer.from(says ? `${text.slice(0, -1)},"maxLearners":${learnersMax}}` : text),
  };
}

/** The context is empty (surface 16.2). */
export function planRemove(requestId: bigint, id: bigint): ConfChange {
  return { id: requestId, type: ConfChangeType.REMOVE_NODE, nodeId: id, context: EMPTY };
}

/** CL-06: only peer URLs change, and only to such as can be used. */
export function planUpdate(
  requestId: bigint,
  id: bigint,
  urls: readonly string[],
): ConfChange | EtcdError {
  const peerUrls = parsePeerUrls(urls);
  if (!Array.isArray(peerUrls)) return peerUrls;
  const record = { id, peerUrls, isLearner: false, name: "", clientUrls: [] };
  return {
    id: requestId,
    type: ConfChangeType.UPDATE_NODE,
    nodeId: id,
    context: Buffer.from(encodeMemberRecord(record)),
  };
}

/** CL-08; whether the learner is ready was asked before (reconfig-checks.ts). */
export function planPromote(requestId: bigint, id: bigint): ConfChange {
  return {
    id: requestId,
    type: ConfChangeType.ADD_NODE,
    nodeId: id,
    context: Buffer.from(`{"id":${id},"peerURLs":null,"isPromote":true}`),
  };
}

/** A founding member's entry (RA-06): as an addition, but that it was there from the start. */
export function planFounder(record: MemberRecord): ConfChange {
  return {
    id: 0n,
    type: ConfChangeType.ADD_NODE,
    nodeId: record.id,
    context: Buffer.from(encodeMemberRecord(record)),
  };
}

/**
 * Why a committed change may not be made (CL-03, CL-04, CL-12); undefined = it may. Depends on the
 * change and the table alone.
 */
export function validateConfChange(
  change: ConfChange,
  table: MembershipView,
): EtcdError | undefined {
  if (RESERVED_IDS.has(change.nodeId)) return errors.MemberNotFound;
  if (table.isRemovedMember(change.nodeId)) return errors.MemberNotFound;
  const members = table.members();
  const target = members.find(({ id }) => id === change.nodeId);
  switch (change.type) {
    case ConfChangeType.ADD_NODE:
    case ConfChangeType.ADD_LEARNER:
      return validateAdd(change, members, target);
    case ConfChangeType.REMOVE_NODE:
      if (target === undefined) return errors.MemberNotFound;
      // Without strict checks a proposer lets this through; there would be no cluster left.
      return isOnlyVoter(target, members) ? errors.MemberNotEnoughStarted : undefined;
    case ConfChangeType.UPDATE_NODE: {
      if (target === undefined) return errors.MemberNotFound;
      const context = readContext(change);
      if (context === undefined) return errors.MemberBadURLs;
      return checkUrlsFree(context.record, members);
    }
    default:
      return errors.NotCapable;
  }
}

function validateAdd(
  change: ConfChange,
  members: readonly MemberRecord[],
  target: MemberRecord | undefined,
): EtcdError | undefined {
  const context = readContext(change);
  if (context === undefined) return errors.MemberBadURLs;
  if (context.isPromote) {
    if (target === undefined) return errors.MemberNotFound;
    const isPromotion = target.isLearner && change.type === ConfChangeType.ADD_NODE;
    return isPromotion ? undefined : errors.MemberNotLearner;
  }
  if (target !== undefined) return errors.MemberExist;
  const taken = checkUrlsFree(context.record, members);
  if (taken !== undefined || change.type === ConfChangeType.ADD_NODE) return taken;
  const learners = members.filter(({ isLearner }) => isLearner).length;
  return learners + 1 > context.learnersMax ? errors.TooManyLearners : undefined;
}

function isOnlyVoter(target: MemberRecord, members: readonly MemberRecord[]): boolean {
  return !target.isLearner && members.every((member) => member.isLearner || member === target);
}

function checkUrlsFree(
  record: MemberRecord,
  members: readonly MemberRecord[],
): EtcdError | undefined {
  const isTaken = members.some(
    ({ id, peerUrls }) => id !== record.id && peerUrls.some((url) => record.peerUrls.includes(url)),
  );
  return isTaken ? errors.PeerURLExist : undefined;
}

interface ChangeContext {
  readonly record: MemberRecord;
  readonly isPromote: boolean;
  readonly learnersMax: number;
}

/** Undefined when it is no such JSON, or about another member than the change. */
function readContext(change: ConfChange): ChangeContext | undefined {
  const text = change.context.toString("utf8");
  const record = decodeMemberRecord(text);
  if (record === undefined || record.id !== change.nodeId) return undefined;
  const fields = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const given = fields["maxLearners"];
  const learnersMax = typeof given === "number" && given >= 0 ? given : LEARNERS_MAX;
  return { record, isPromote: fields["isPromote"] === true, learnersMax };
}

/** The effect of a change that `validateConfChange` let through on the table. */
export function applyConfChange(change: ConfChange, table: MembershipTable): MembershipEffect {
  const id = change.nodeId;
  if (change.type === ConfChangeType.REMOVE_NODE) {
    table.removeMember(id);
    return { kind: "removed", id };
  }
  const context = readContext(change);
  if (context === undefined) throw new Error("membership: the change was not validated");
  const present = table.members().find((member) => member.id === id);
  const { kind, member } = changedMember(change, context, present);
  table.putMember(member);
  return { kind, member };
}

function changedMember(
  change: ConfChange,
  { record, isPromote }: ChangeContext,
  present: MemberRecord | undefined,
): { kind: "added" | "promoted" | "updated"; member: MemberRecord } {
  if (present !== undefined && change.type === ConfChangeType.UPDATE_NODE) {
    return { kind: "updated", member: { ...present, peerUrls: record.peerUrls } };
  }
  if (present !== undefined && isPromote) {
    return { kind: "promoted", member: { ...present, isLearner: false } };
  }
  const isLearner = change.type === ConfChangeType.ADD_LEARNER;
  return { kind: "added", member: { ...record, isLearner } };
}

/** A CONF_CHANGE entry taken to the table. */
export type ConfChangeOutcome =
  | {
      readonly kind: "applied";
      readonly change: ConfChange;
      readonly effect: MembershipEffect;
    }
  /** `change` has no member any more: it is to be given to the consensus all the same (CL-12). */
  | { readonly kind: "refused"; readonly change: ConfChange; readonly error: EtcdError };

/**
 * Decodes, validates and applies the data of a CONF_CHANGE entry. The caller advances the machine
 * past the entry and gives `change` to the consensus. Never throws for what the entry holds.
 */
export function applyConfChangeEntry(data: Buffer, table: MembershipTable): ConfChangeOutcome {
  const change = tryDecode(data);
  const error = change === undefined ? errors.NotCapable : validateConfChange(change, table);
  if (change === undefined || error !== undefined) {
    const { id = 0n } = change ?? {};
    const nobody = { id, type: ConfChangeType.ADD_NODE, nodeId: 0n, context: EMPTY };
    return { kind: "refused", change: nobody, error: error ?? errors.NotCapable };
  }
  return { kind: "applied", change, effect: applyConfChange(change, table) };
}

function tryDecode(data: Buffer): ConfChange | undefined {
  try {
    return decodeConfChange(data);
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
