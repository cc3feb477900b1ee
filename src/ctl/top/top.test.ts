import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterMember, StatusResponse } from "../../client/index.ts";
import { type Look, lookAt } from "../health/look.ts";
import { top } from "./command.ts";
import { topPage } from "./page.ts";

function look(puts: readonly (number | undefined)[]): Promise<Look> {
  const header = { clusterId: 9n, memberId: 1n, revision: 70, raftTerm: 4 };
  const members: ClusterMember[] = puts.map((_, at) => ({
    ...{ id: BigInt(at + 1), name: `m${at + 1}`, isLearner: false },
    ...{ peerUrls: [], clientUrls: [`http://${at}`] },
  }));
  const at = (url: string): number => Number(url.split("/")[2]);
  return lookAt({
    minor: 7,
    list: async () => ({ header, members }),
    alarms: async () => [{ memberId: 2n, alarm: "nospace" }],
    get: async (url) => {
      if (url.endsWith("/health")) return '{"health":"true"}';
      const count = puts[at(url)];
      if (count === undefined) throw new Error("refused");
      return (
        `grpc_server_handled_total{grpc_code="OK",grpc_method="Put"} ${count}\n` +
        `grpc_server_handled_total{grpc_code="Unavailable",grpc_method="Put"} 10\n` +
        `etcd_debugging_mvcc_watcher_total 12\nprocess_resident_memory_bytes 64000000\n`
      );
    },
    status: async (url) =>
      ({
        ...{ header: { ...header, memberId: BigInt(at(url) + 1) }, leader: 1n, errors: [] },
        ...{ raftIndex: 90, raftTerm: 4, raftAppliedIndex: 90 - at(url), dbSizeBytes: 2_000 },
        ...{ isLearner: false, version: "3.7.1", dbSizeQuotaBytes: 0 },
      }) as Partial<StatusResponse> as StatusResponse,
  });
}

test("top: rates between two looks, lag, sizes; a restarted member counts from its start", async () => {
  const [before, now] = [await look([100, 500, undefined]), await look([300, 30, 7])];
  const page = (columns: number): string[] =>
    topPage({ now, before, seconds: 2, minor: 7, title: "12:00", columns }).split("\n");
  const lines = page(500);
  assert.equal(lines[0], "12:00  cluster is healthy; m1 leads; term 4, revision 70");
  assert.equal(lines[1], "all: 120 puts/s, 0 ranges/s, 0 txns/s");
  const cells = lines.slice(3, 7).map((line) => line.split(/ {2,}/));
  assert.deepEqual(cells[1]?.slice(0, 8), ["m1", "leader", "0", "100", "0", "0", "12", "2.0 kB"]);
  assert.deepEqual(cells[2]?.slice(2, 4), ["1", "20"]);
  assert.deepEqual(cells[2]?.slice(-2), ["64 MB", "NOSPACE"]);
  assert.deepEqual(cells[3]?.slice(2, 4), ["2", "-"]);
  assert.ok(lines.some((line) => line.startsWith("! m2: alarm NOSPACE")));
  assert.ok(page(30).every((line) => line.length <= 30));
  assert.match(top.description ?? "", /q or\nCtrl-C/);
});
