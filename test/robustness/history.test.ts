/** The judge of the robustness suites must itself be able to say no. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { History, type HistoryEvent } from "./history.ts";

const put = (revision: bigint, key: string, value: string): HistoryEvent => ({
  revision,
  key,
  value,
});

/** Two writes acknowledged at 2 and 3, one read at 3. */
function told(): History {
  const history = new History();
  history.issue([{ key: "a", value: "1" }]);
  history.acknowledge([{ key: "a", value: "1" }], { revision: 2n, floor: 0n, hasChanged: true });
  history.issue([{ key: "a", value: "2" }]);
  history.acknowledge([{ key: "a", value: "2" }], { revision: 3n, floor: 2n, hasChanged: true });
  history.answerRead({ key: "a", value: "2", revision: 3n, floor: 3n });
  return history;
}

describe("history", () => {
  test("history: what was told is what happened → no problem, and the next check goes on", () => {
    const history = told();
    assert.deepEqual(history.check([put(2n, "a", "1"), put(3n, "a", "2")]), []);
    history.answerRead({ key: "a", value: "1", revision: 2n, floor: undefined });
    history.issue([{ key: "a", value: undefined }]);
    const gone = { revision: 4n, key: "a", value: undefined };
    const answer = { revision: 4n, floor: 3n, hasChanged: true };
    history.acknowledge([{ key: "a", value: undefined }], answer);
    assert.deepEqual(history.check([gone]), []);
    assert.equal(history.stateAt("a", 4n), undefined);
    assert.equal(history.stateAt("a", 3n), "2");
  });

  test("history: an acknowledged write is missing → named", () => {
    const problems = told().check([put(2n, "a", "1")]);
    assert.match(problems.join("\n"), /acknowledged: 3 a = "2"; the history has nothing/);
    assert.match(problems.join("\n"), /revision 3 was acknowledged, the history ends at 2/);
  });

  test("history: an acknowledged write has another value → named", () => {
    const history = told();
    history.issue([{ key: "a", value: "other" }]);
    const problems = history.check([put(2n, "a", "1"), put(3n, "a", "other")]);
    assert.match(problems.join("\n"), /acknowledged: 3 a = "2"; the history has a = "other"/);
  });

  test("history: something that nobody asked for → named", () => {
    const events = [put(2n, "a", "1"), put(3n, "a", "2"), put(4n, "b", "x")];
    assert.match(told().check(events).join("\n"), /4 b = "x" was asked for by nobody/);
  });

  test("history: a request with no answer that came through → no problem", () => {
    const history = told();
    history.issue([{ key: "a", value: "3" }]);
    const events = [put(2n, "a", "1"), put(3n, "a", "2"), put(4n, "a", "3")];
    assert.deepEqual(history.check(events), []);
  });

  test("history: a linearizable read below what was known → stale", () => {
    const history = told();
    history.answerRead({ key: "a", value: "1", revision: 2n, floor: 3n });
    const problems = history.check([put(2n, "a", "1"), put(3n, "a", "2")]);
    assert.match(problems.join("\n"), /read of a saw revision 2, known was 3/);
  });

  test("history: a serializable read may be old, but not wrong", () => {
    const events = [put(2n, "a", "1"), put(3n, "a", "2")];
    const old = told();
    old.answerRead({ key: "a", value: "1", revision: 2n, floor: undefined });
    assert.deepEqual(old.check(events), []);
    const wrong = told();
    wrong.answerRead({ key: "a", value: "1", revision: 3n, floor: undefined });
    assert.match(wrong.check(events).join("\n"), /read at 3 saw a = "1", the history has a = "2"/);
  });

  test("history: a write below what was known → named", () => {
    const history = told();
    history.issue([{ key: "b", value: "1" }]);
    const answer = { revision: 2n, floor: 3n, hasChanged: true };
    history.acknowledge([{ key: "b", value: "1" }], answer);
    const problems = history.check([put(2n, "a", "1"), put(2n, "b", "1"), put(3n, "a", "2")]);
    assert.match(problems.join("\n"), /a write was answered with 2, known was 3/);
  });

  test("history: a delete that found nothing, though there was something → named", () => {
    const history = told();
    history.issue([{ key: "a", value: undefined }]);
    const answer = { revision: 3n, floor: 3n, hasChanged: false };
    history.acknowledge([{ key: "a", value: undefined }], answer);
    const problems = history.check([put(2n, "a", "1"), put(3n, "a", "2")]);
    assert.match(problems.join("\n"), /read at 3 saw delete a, the history has a = "2"/);
  });
});
