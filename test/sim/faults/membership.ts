/** Members that come, as learners or at once, are promoted, and go again. */
import type { MembershipChange, Waiter } from "../../../src/member/index.ts";
import type { ClusterMember, ClusterNode } from "../../cluster/node.ts";
import { urlOf } from "./hosts.ts";
import type { FaultRun } from "./run.ts";

/** Hosts that came during the run have names of this kind. */
const GUEST = "guest";
const GUESTS_MAX = 2;
const ANSWER_MAX_MS = 10_000;

/** A member more; or one of those that came so is promoted, or taken away again. */
export function changeMembers(run: FaultRun): void {
  const { cluster, prng, hosts } = run;
  // Nobody changes the members while one of them lacks something.
  if (!hosts.areWhole) return;
  const guests = cluster.nodes.filter(({ host }) => host.startsWith(GUEST));
  if (guests.length === 0 || (guests.length < GUESTS_MAX && prng.chance(0.3))) {
    return void addGuest(run, prng.chance(0.6));
  }
  const guest = prng.pick(guests);
  void (prng.chance(0.5) ? promote(run, guest) : remove(run, guest));
}

/** A member's machine is gone for good: it is removed, and a new one comes in its place. */
export function replaceMember(run: FaultRun): void {
  const { cluster, prng } = run;
  if (cluster.nodes.length < 3 || !run.hosts.areWhole) return;
  const node = prng.pick(cluster.nodes);
  if (node.isRunning) node.crash();
  void remove(run, node).then((isGone) => {
    if (isGone) void addGuest(run, prng.chance(0.5));
    // Nobody took the change: it was not gone after all.
    else run.later(run.lengthMs, () => run.hosts.restart([node]));
  });
}

async function ask(
  { cluster, prng, done, later }: FaultRun,
  question: (member: ClusterMember, waiter: Waiter<MembershipChange>) => void,
): Promise<MembershipChange | undefined> {
  const { live } = cluster;
  if (live.length === 0) return undefined;
  const node = prng.pick(live);
  // The run waits for an answer, not for ever.
  later(ANSWER_MAX_MS, () => undefined);
  try {
    const change = await cluster.ask<MembershipChange>(node, question);
    done.membershipChanges += 1;
    return change;
  } catch (error) {
    cluster.note(`${node.host} does not change the members: ${String(error)}`);
    return undefined;
  }
}

async function addGuest(run: FaultRun, isLearner: boolean): Promise<void> {
  // By the time at which it came, for whoever reads the trace.
  const name = `${GUEST}${Math.floor(run.cluster.nowMs)}`;
  run.hosts.expect(name);
  await ask(run, (member, waiter) => member.addMember([urlOf(name)], isLearner, waiter));
}

async function promote(run: FaultRun, guest: ClusterNode): Promise<void> {
  const id = guest.member?.id;
  if (id !== undefined) await ask(run, (member, waiter) => member.promoteMember(id, waiter));
}

/** Whether the cluster goes on without it, for sure. */
async function remove(run: FaultRun, guest: ClusterNode): Promise<boolean> {
  const [url] = guest.peerUrls;
  const rows = run.cluster.live[0]?.running.members() ?? [];
  const id = rows.find(({ peerUrls }) => peerUrls[0] === url)?.id;
  if (id === undefined) return false;
  const change = await ask(run, (member, waiter) => member.removeMember(id, waiter));
  // It may have been asked itself, and gone before it could answer.
  const isGone = change !== undefined || guest.wasRemoved;
  if (isGone && run.cluster.nodes.includes(guest)) run.cluster.forget(guest);
  return isGone;
}
