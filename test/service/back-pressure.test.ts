import assert from "node:assert/strict";
import { test } from "node:test";
import { type EtcdError, errors } from "../../src/errors/index.ts";
import { PROPOSALS_MAX } from "../../src/member/limits.ts";
import { emptyPutRequest } from "../../src/wire/index.ts";
import { Service } from "./harness.ts";

test("service: a full queue → too many requests; what waits is answered, and then more is taken (FR-10)", async () => {
  const service = await Service.open();
  let done = 0;
  const refused: EtcdError[] = [];
  const propose = () =>
    service.member.propose(
      { kind: "put", put: { ...emptyPutRequest(), key: "a" } },
      {
        done: () => {
          done += 1;
        },
        refused: (error) => refused.push(error),
      },
    );
  for (let count = 0; count < PROPOSALS_MAX; count += 1) propose();
  propose();
  assert.deepEqual([done, refused], [0, []], "a proposal never answers before it returned");
  await service.untilTrue(() => refused.length > 0);
  assert.deepEqual(refused, [errors.TooManyRequests]);
  await service.untilTrue(() => done === PROPOSALS_MAX);
  propose();
  await service.untilTrue(() => done > PROPOSALS_MAX);
  assert.equal(refused.length, 1);
});
