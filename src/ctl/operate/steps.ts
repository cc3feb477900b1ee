/** What replacing and restarting members have in common. */
import { type Client, isRefusal } from "../../client/index.ts";
import { CtlError, Exit } from "../exit.ts";
import { type Asker, listByFirst } from "../health/look.ts";
import type { CtlIo } from "../io.ts";
import { type ClusterView, isServing, lagOf, type MemberView, viewOf, votersOf } from "./view.ts";
import { type Found, waitFor } from "./wait.ts";

/** What such a command does to the cluster, and how it learns of it. */
export interface Operation {
  readonly io: CtlIo;
  readonly asker: Asker;
  readonly hands: Hands;
  /** Of each wait and of each command on a host. */
  readonly timeoutMs: number;
}

/** What the target missed while it was down may take the first try's time. */
const MOVES_MAX = 3;

/** The calls that change something, or are asked of one member alone. */
export interface Hands {
  /** Asked of the leader. */
  moveLeader(endpoint: string, target: bigint): Promise<void>;
  /** Resolves when the member can answer a linearizable read. */
  readAt(endpoint: string): Promise<void>;
  /** The release of the program, as `/version` tells it; undefined for other servers. */
  releaseAt(endpoint: string): Promise<string | undefined>;
}

export function handsOf(client: Client, asker: Asker, timeoutMs: number): Hands {
  return {
    moveLeader: async (endpoint, target) => {
      await client.at(endpoint).moveLeader(target, { timeoutMs });
    },
    readAt: async (endpoint) => {
      try {
        await client.kv.get("health", { endpoint, timeoutMs, failFast: true });
      } catch (error) {
        // Who may not read that key was told so after the members had agreed on the state.
        if (!isRefusal(error, "PermissionDenied")) throw error;
      }
    },
    releaseAt: async (endpoint) => releaseOf(await asker.get(`${endpoint}/version`)),
  };
}

function releaseOf(page: string): string | undefined {
  try {
    const { holdfast } = JSON.parse(page) as { holdfast?: unknown };
    return typeof holdfast === "string" ? holdfast : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Makes all voters the client's endpoints, since those that were named may be the ones that go, and
 * resolves with the id of the cluster. Rejects when no endpoint can list the members.
 */
export async function reachAll(client: Client, timeoutMs: number): Promise<bigint> {
  const { header, members } = await listByFirst(client, timeoutMs).catch((error: unknown) => {
    const [first = error] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
    throw new CtlError(`no endpoint answers: ${(first as Error).message}`, Exit.ERROR, first);
  });
  const voters = members.filter(({ isLearner }) => !isLearner);
  const urls = voters.flatMap(({ clientUrls }) => clientUrls);
  if (urls.length > 0) client.setEndpoints(urls);
  return header.clusterId;
}

/** A line of what has been done. */
export function tell(io: CtlIo, line: string): void {
  io.stdout(`${line}\n`);
}

/**
 * Hands the leadership to the voter that has applied most, one that is preferred first, and waits
 * until all voters that answer follow it. Throws CtlError when nobody can take it.
 */
export async function moveLeadership(
  operation: Operation,
  view: ClusterView,
  isPreferred: (member: MemberView) => boolean,
): Promise<void> {
  const { leader } = view;
  const candidates = votersOf(view).filter((one) => one !== leader && isServing(view, one));
  const target = candidates.sort(
    (a, b) => Number(isPreferred(b)) - Number(isPreferred(a)) || lagOf(view, a) - lagOf(view, b),
  )[0];
  if (leader === undefined || target === undefined) {
    throw new CtlError("no other voter answers, so nobody can take the leadership over");
  }
  const { io, asker, hands, timeoutMs } = operation;
  let tries = 0;
  const hint = "is an election under way? The same command goes on";
  const what = `waiting for ${target.name} to lead`;
  await waitFor(io, { what, timeoutMs, hint }, async () => {
    const now = await viewOf(asker);
    const voters = votersOf(now).filter(({ status }) => status !== undefined);
    const isDone =
      now.leader !== undefined &&
      now.leader.member.id !== leader.member.id &&
      voters.every((one) => isServing(now, one));
    if (isDone) return { is: "done", value: undefined };
    let why = "the leadership has not moved";
    if (now.leader?.member.id === leader.member.id && tries < MOVES_MAX) {
      tries += 1;
      const endpoint = leader.member.clientUrls[0] ?? "";
      await hands.moveLeader(endpoint, target.member.id).catch((error: Error) => {
        why = `${why}: ${error.message}`;
      });
    }
    return { is: "waiting", why };
  });
  tell(io, `   ${target.name} leads in place of ${leader.name}`);
}

/**
 * Follows a member from when it first answers until it has applied what the leader had committed
 * then. Looked at again and again; one for each time that a member comes back.
 */
export class Arrival {
  #target: number | undefined;
  #from = 0;

  /** A learner is not read from: it serves no linearizable reads. */
  async look(
    { hands }: Operation,
    view: ClusterView,
    member: MemberView,
  ): Promise<Found<MemberView>> {
    const { name, status } = member;
    if (status === undefined) return { is: "waiting", why: `${name} does not answer` };
    if (!isServing(view, member)) {
      return { is: "waiting", why: `${name} does not follow the leader yet` };
    }
    this.#target ??= view.committed;
    if (this.#from === 0) this.#from = status.raftAppliedIndex;
    const target = this.#target;
    if (status.raftAppliedIndex < target) {
      const missing = target - status.raftAppliedIndex;
      const why = `${name} has yet to apply ${missing} of the entries committed when it came up`;
      const done = status.raftAppliedIndex - this.#from;
      return { is: "waiting", why, done, total: target - this.#from };
    }
    if (!status.isLearner) {
      try {
        await hands.readAt(member.member.clientUrls[0] ?? "");
      } catch (error) {
        return { is: "waiting", why: `${name} cannot be read from: ${(error as Error).message}` };
      }
    }
    return { is: "done", value: member };
  }
}
