import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedError, Prng } from "../base/index.ts";
import { decodeAlarmResponse, encodeAlarmResponse } from "./alarm.ts";
import { decodeMessage, encodeMessage } from "./cold.ts";
import * as schemas from "./cold-schemas.ts";
import { fieldUint } from "./fields.ts";
import { decodeLeaseKeepAliveResponse, encodeLeaseKeepAliveResponse } from "./lease.ts";
import { marshal } from "./marshal.ts";

const header = { clusterId: 1n, memberId: 2n, revision: 3, raftTerm: 4 };

test("cold: a status → encoded and decoded, absent fields zero (MA-03)", () => {
  const bytes = encodeMessage(schemas.StatusResponseSchema, {
    version: "3.7.1",
    dbSize: 20_480n,
    errors: ["etcdserver: no leader"],
    downgradeInfo: { enabled: false },
  });
  const status = decodeMessage(schemas.StatusResponseSchema, bytes);
  assert.equal(status.version, "3.7.1");
  assert.equal(status.dbSize, 20_480n);
  assert.deepEqual(status.errors, ["etcdserver: no leader"]);
  assert.equal(status.isLearner, false);
  assert.equal(status.downgradeInfo?.targetVersion, "");
});

test("cold: damaged bytes for every schema → a message or MalformedError (seeded)", () => {
  const runs = Math.ceil(Number(process.env["FUZZ_RUNS"] ?? 2_000) / 4);
  const prng = new Prng(Number(process.env["SEED"] ?? 5));
  const all = Object.values(schemas).filter((schema) => "typeName" in schema);
  for (let run = 0; run < runs; run += 1) {
    const bytes = prng.bytes(prng.below(80));
    // Lengths and field numbers that fit are what gets deep.
    for (let at = 0; at < bytes.length; at += 1 + prng.below(4)) bytes[at] = 2 + 8 * prng.below(6);
    for (const schema of all) {
      try {
        decodeMessage(schema, bytes);
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
      }
    }
  }
});

test("alarm and keep-alive responses → round trip with the whole header (FR-26)", () => {
  const alarms = [{ memberId: 9n, alarm: 1 }];
  const alarm = marshal(
    (writer, list: typeof alarms) => encodeAlarmResponse(writer, header, list),
    alarms,
  );
  assert.deepEqual(decodeAlarmResponse(alarm), alarms);
  const renewed = { id: -7n, ttlSeconds: 0 };
  const keepAlive = marshal(
    (writer, response: typeof renewed) => encodeLeaseKeepAliveResponse(writer, header, response),
    renewed,
  );
  assert.deepEqual(decodeLeaseKeepAliveResponse(keepAlive), renewed);
});

test("fields: numbers above 15 → tags of two bytes", () => {
  const bytes = marshal((writer, value: number) => fieldUint(writer, 16 * 8, value), 1);
  assert.equal(bytes.toString("hex"), "800101");
});
