import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyRaftMessage, type Message, MessageType } from "../wire/index.ts";
import { Lives, type LivesView } from "./lives.ts";

const IDS = [1n, 2n];

/** Two members, whose messages arrive at once. */
function pair() {
  const views = new Map<bigint, LivesView>();
  const members = new Map<bigint, Lives>();
  const deliver = (message: Message): void => {
    const from = members.get(message.from) as Lives;
    if (from.sends(message)) members.get(message.to)?.takes(message);
  };
  for (const id of IDS) {
    const view = { term: 6, votedTerm: 6, lastTerm: 6, lastIndex: 3, committed: 3, applied: 3 };
    views.set(id, { ...view, isLeader: false, isLeaderOnDisk: false });
    const lives = new Lives({
      id,
      life: { epoch: 1, nonce: Number(id), base: 0 },
      floors: [],
      protection: "detect",
      nowMs: 0,
      waitMs: 300,
      view: () => views.get(id) as LivesView,
      others: () =>
        IDS.filter((other) => other !== id).map((other) => ({ id: other, isVoter: true })),
      send: deliver,
      save: () => Promise.resolve(true),
      reborn: () => undefined,
      proven: () => undefined,
    });
    members.set(id, lives);
  }
  return { members, views, deliver };
}

// A leader of three that two others had voted for was killed while its own vote was still on its
// way to a slow disk, and was taken for one whose disk went back in time (seed 2634).
test("lives: a leader whose own vote is not on its disk yet → nobody holds it to that term (BT-f6 BT-d4)", async () => {
  const { members, views, deliver } = pair();
  const [one, two] = IDS.map((id) => members.get(id) as Lives) as [Lives, Lives];
  for (const lives of [one, two]) lives.tick(0);
  await new Promise(setImmediate);
  assert.deepEqual([one.missing, two.missing], [[], []]);
  const leads = { ...(views.get(1n) as LivesView), term: 7, votedTerm: 7, isLeader: true };
  const says = (type: number): void =>
    deliver({ ...emptyRaftMessage(), type, from: 1n, to: 2n, term: 7 });
  views.set(1n, leads);
  for (const type of [MessageType.HEARTBEAT, MessageType.APP]) says(type);
  assert.equal(two.floors.of(1n).term, 0);
  views.set(1n, { ...leads, isLeaderOnDisk: true });
  says(MessageType.HEARTBEAT);
  assert.deepEqual([two.floors.of(1n).term, two.floors.of(1n).votedTerm], [7, 7]);
});
