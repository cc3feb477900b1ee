/** Replays etcd's configuration change scenarios: configurations, progress and refusals. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ConfChangeOutcome,
  changeSimply,
  confStateOf,
  configOf,
  EMPTY_CONFIG,
  enterJoint,
  leaveJoint,
} from "./conf-change.ts";
import type { Progress } from "./progress.ts";
import { configText, progressText } from "./scenario-text.test.ts";
import { type Directive, parseChanges, readScenario, scenarioFiles } from "./testdata.test.ts";
import { Tracker } from "./tracker.ts";

function outcomeOf(tracker: Tracker, directive: Directive): ConfChangeOutcome {
  const changes = parseChanges(directive.input);
  switch (directive.command) {
    case "simple":
      return changeSimply(tracker.config, changes);
    case "enter-joint": {
      const autoLeave = directive.named.get("autoleave")?.[0] === "true";
      return enterJoint(tracker.config, changes, { autoLeave });
    }
    default:
      assert.equal(directive.command, "leave-joint");
      return leaveJoint(tracker.config);
  }
}

for (const name of scenarioFiles("confchange")) {
  test(`conf change scenario ${name}: every configuration and refusal is etcd's`, () => {
    const tracker = new Tracker({ inflightMessagesMax: 10, inflightBytesMax: 0 });
    let lastIndex = 0;
    for (const directive of readScenario("confchange", name)) {
      const outcome = outcomeOf(tracker, directive);
      lastIndex += 1;
      if (outcome.kind === "refused") {
        assert.deepEqual([outcome.reason], directive.expected, directive.at);
        continue;
      }
      tracker.switchTo(outcome.config, outcome.joined, Math.max(lastIndex - 1, 1));
      const lines = tracker.ids.map((id) => {
        return `${id}: ${progressText(tracker.progress(id) as Progress)}`;
      });
      assert.deepEqual([configText(tracker.config), ...lines], directive.expected, directive.at);
      assert.deepEqual(configOf(confStateOf(tracker.config)), tracker.config, directive.at);
    }
  });
}

test("conf change: a joint configuration cannot be entered from no voters at all", () => {
  const outcome = enterJoint(EMPTY_CONFIG, parseChanges(["v1"]), { autoLeave: true });
  assert.deepEqual(outcome, {
    kind: "refused",
    reason: "can't make a zero-voter config joint",
  });
});

test("conf change: leaving a joint configuration that is not there is refused", () => {
  const outcome = leaveJoint(EMPTY_CONFIG);
  assert.deepEqual(outcome, { kind: "refused", reason: "can't leave a non-joint config" });
});

test("conf change: a member that leaves and comes back in one change starts anew", () => {
  const three = changeSimply(EMPTY_CONFIG, parseChanges(["v1"]));
  assert.equal(three.kind, "changed");
  const back = changeSimply(three.config, parseChanges(["v2", "r2 v2"]));
  assert.equal(back.kind, "changed");
  assert.deepEqual(back.joined, new Set([2n]));
});

test("conf change: states that no configuration has are not taken (RA-10)", () => {
  const state = { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [] };
  assert.equal(configOf({ ...state, autoLeave: true }), undefined);
  assert.equal(configOf({ ...state, learners: [1n], autoLeave: false }), undefined);
  assert.equal(configOf({ ...state, learnersNext: [2n], autoLeave: false }), undefined);
  assert.equal(configOf({ ...state, voters: [0n], autoLeave: false }), undefined);
  assert.ok(configOf({ ...state, autoLeave: false }));
});
