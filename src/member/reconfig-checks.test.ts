import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../errors/index.ts";
import { checkAdd, checkLearnerReady, checkPromote, checkRemove } from "./reconfig-checks.ts";
import type { ClusterMember } from "./types.ts";

const NOW_MS = 100_000;
const LONG_AGO_MS = NOW_MS - 5_001;
const JUST_NOW_MS = NOW_MS - 5_000;

type Kind = "started" | "fresh" | "down" | "unstarted" | "learner";

/** Member 1 asks; the others follow with ids from 2 on. */
function view(...others: Kind[]) {
  const kinds: Kind[] = ["started", ...others];
  const members: ClusterMember[] = kinds.map((kind, at) => ({
    id: BigInt(at + 1),
    name: kind === "unstarted" ? "" : `m${at}`,
    peerUrls: [],
    clientUrls: [],
    isLearner: kind === "learner",
  }));
  const connectedSinceMs = (id: bigint) => {
    // There is no connection to itself.
    if (id === 1n) return undefined;
    const kind = kinds[Number(id) - 1];
    if (kind === "started" || kind === "learner") return LONG_AGO_MS;
    return kind === "fresh" ? JUST_NOW_MS : undefined;
  };
  return { members, selfId: 1n, nowMs: NOW_MS, connectedSinceMs };
}

test("strict check: a healthy cluster of any size → may grow (CL-02)", () => {
  assert.equal(checkAdd(view(), false), undefined);
  assert.equal(checkAdd(view("started"), false), undefined);
  assert.equal(checkAdd(view("started", "started"), false), undefined);
  assert.equal(checkAdd(view("started", "started", "started", "started"), false), undefined);
});

test("strict check: one added and not started yet → no second one (CL-02, FR-31)", () => {
  assert.equal(checkAdd(view("unstarted"), false), errors.MemberNotEnoughStarted);
  assert.equal(checkAdd(view("started", "unstarted"), false), errors.MemberNotEnoughStarted);
});

test("strict check: an unstarted one of four → the started three are a quorum of five (CL-02)", () => {
  assert.equal(checkAdd(view("started", "started", "unstarted"), false), undefined);
});

test("strict check: a member down, or not up for 5 s, and the new one → unhealthy (CL-02)", () => {
  assert.equal(checkAdd(view("started", "down"), false), errors.Unhealthy);
  assert.equal(checkAdd(view("started", "fresh"), false), errors.Unhealthy);
  assert.equal(checkAdd(view("started", "started", "down"), false), undefined);
});

test("strict check: a learner needs no started quorum, but a connected one (CL-03)", () => {
  assert.equal(checkAdd(view("started", "started", "unstarted"), true), undefined);
  assert.equal(checkAdd(view("unstarted"), true), errors.Unhealthy);
  assert.equal(checkAdd(view(), true), undefined);
});

test("strict check: learners do not count (CL-02, CL-05)", () => {
  assert.equal(checkAdd(view("learner"), false), undefined);
  assert.equal(checkRemove(view("learner"), 2n), undefined);
});

test("strict check: members of a healthy cluster may be removed, also the one asked (CL-05)", () => {
  assert.equal(checkRemove(view("started"), 2n), undefined);
  assert.equal(checkRemove(view("started", "started"), 1n), undefined);
});

test("strict check: the last voter stays (CL-05)", () => {
  assert.equal(checkRemove(view(), 1n), errors.MemberNotEnoughStarted);
});

test("strict check: too few started ones would be left → not removed (CL-05)", () => {
  assert.equal(checkRemove(view("started", "unstarted"), 2n), errors.MemberNotEnoughStarted);
  assert.equal(checkRemove(view("unstarted"), 2n), undefined);
});

test("strict check: a member that is down may go, one that holds the quorum may not (CL-05)", () => {
  assert.equal(checkRemove(view("started", "down"), 3n), undefined);
  assert.equal(checkRemove(view("started", "down"), 2n), errors.Unhealthy);
  assert.equal(checkRemove(view("started", "down"), 1n), errors.Unhealthy);
  assert.equal(checkRemove(view("started", "fresh"), 2n), errors.Unhealthy);
});

test("strict check: an unknown member is left to the apply (CL-05)", () => {
  assert.equal(checkRemove(view("started", "started"), 9n), undefined);
});

test("strict check: promoting counts the learner as started (CL-08)", () => {
  assert.equal(checkPromote(view("learner").members), undefined);
  assert.equal(checkPromote(view("unstarted", "learner").members), undefined);
  assert.equal(
    checkPromote(view("unstarted", "unstarted", "learner").members),
    errors.MemberNotEnoughStarted,
  );
});

test("learner: below 90 % of the leader's log → not ready; unknown → not found (CL-08)", () => {
  assert.equal(checkLearnerReady(900, 1000), undefined);
  assert.equal(checkLearnerReady(899, 1000), errors.MemberLearnerNotReady);
  assert.equal(checkLearnerReady(0, 10), errors.MemberLearnerNotReady);
  assert.equal(checkLearnerReady(undefined, 10), errors.MemberNotFound);
});
