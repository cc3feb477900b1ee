import assert from "node:assert/strict";
import { test } from "node:test";
import type { DowngradeInfo } from "../apply/index.ts";
import { errors } from "../errors/index.ts";
import type { Logger } from "../seam/index.ts";
import { ManualTime } from "../testing/index.ts";
import type { RaftOperation } from "../wire/index.ts";
import {
  checkDowngrade,
  ClusterVersionMonitor,
  decideClusterVersion,
  isDowngradeDone,
  parseDowngradeTarget,
} from "./cluster-version.ts";

const NO_DOWNGRADE: DowngradeInfo = { enabled: false, targetVersion: "" };
const DOWN_TO_6: DowngradeInfo = { enabled: true, targetVersion: "3.6.0" };

const SILENT: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isEnabled: () => false,
  child: () => SILENT,
};

function decide(
  clusterVersion: string | undefined,
  versions: (string | undefined)[],
  downgrade = NO_DOWNGRADE,
): string | undefined {
  return decideClusterVersion({ clusterVersion, versions, downgrade });
}

test("cluster version: a new cluster → the lowest, or 3.0.0 when one is unknown (PV-01)", () => {
  assert.equal(decide(undefined, ["3.7.1", "3.6.11", "3.7.0"]), "3.6.0");
  assert.equal(decide(undefined, ["3.7.1", undefined]), "3.0.0");
});

test("cluster version: it rises with the lowest, and never falls by itself (PV-01)", () => {
  assert.equal(decide("3.0.0", ["3.7.1", "3.10.2"]), "3.7.0");
  assert.equal(decide("3.7.0", ["3.7.1", "3.7.5"]), undefined);
  assert.equal(decide("3.7.0", ["3.6.11", "3.7.1"]), undefined);
});

test("cluster version: a member that cannot be asked, or says nonsense → no rise (PV-02)", () => {
  assert.equal(decide("3.6.0", ["3.7.1", undefined]), undefined);
  assert.equal(decide("3.6.0", ["3.7.1", "latest"]), undefined);
});

test("cluster version: a downgrade takes it down by one, once, and not further (PV-01, MA-09)", () => {
  assert.equal(decide("3.7.0", ["3.7.1", undefined], DOWN_TO_6), "3.6.0");
  assert.equal(decide("3.6.0", ["3.7.1", "3.7.1"], DOWN_TO_6), undefined);
  assert.equal(decide("3.8.0", ["3.8.1"], DOWN_TO_6), undefined);
  assert.equal(decide("3.6.0", ["3.7.1", "3.7.1"], NO_DOWNGRADE), "3.7.0");
});

test("downgrade: done when every member is known to run the target (MA-09)", () => {
  const facts = (versions: (string | undefined)[], downgrade = DOWN_TO_6) =>
    isDowngradeDone({ clusterVersion: "3.6.0", versions, downgrade });
  assert.equal(facts(["3.6.1", "3.6.11"]), true);
  assert.equal(facts(["3.6.1", "3.7.1"]), false);
  assert.equal(facts(["3.6.1", undefined]), false);
  assert.equal(facts(["3.6.1"], NO_DOWNGRADE), false);
});

test("downgrade: the target's form, and which one may be had (MA-09)", () => {
  assert.equal(parseDowngradeTarget("3.6"), "3.6.0");
  assert.equal(parseDowngradeTarget("3.6.11"), "3.6.0");
  for (const bad of ["", "3", "v3.6", "3.6.x", "3.6.1.2", "latest"]) {
    assert.equal(parseDowngradeTarget(bad), errors.WrongDowngradeVersionFormat, bad);
  }
  assert.equal(checkDowngrade("3.6.0", "3.7.0", NO_DOWNGRADE), undefined);
  for (const wrong of ["3.7.0", "3.5.0", "3.8.0", "2.6.0"]) {
    const refusal = checkDowngrade(wrong, "3.7.0", NO_DOWNGRADE);
    assert.equal(refusal, errors.InvalidDowngradeTargetVersion, wrong);
  }
  assert.equal(checkDowngrade("3.6.0", undefined, NO_DOWNGRADE), errors.ClusterVersionUnavailable);
  assert.equal(checkDowngrade("3.6.0", "3.7.0", DOWN_TO_6), errors.DowngradeInProcess);
});

const INCARNATION = "00000000000000aa";

/** Three members of 3.7.1; what is proposed is applied at once. */
class Cluster {
  readonly time = new ManualTime();
  readonly proposed: RaftOperation[] = [];
  readonly versions = new Map<bigint, string | undefined>([
    [2n, "3.7.1"],
    [3n, "3.7.1"],
  ]);
  asked = 0;
  isLeader = true;
  clusterVersion: string | undefined = undefined;
  downgrade = NO_DOWNGRADE;
  incarnation: string | undefined = INCARNATION;
  readonly monitor = new ClusterVersionMonitor({
    selfId: 1n,
    serverVersion: "3.7.1",
    members: () => [1n, 2n, 3n].map((id) => this.#member(id)),
    clusterVersion: () => this.clusterVersion,
    downgrade: () => this.downgrade,
    incarnation: () => this.incarnation,
    entropy: { bytes: (count) => Buffer.alloc(count, 7) },
    isLeader: () => this.isLeader,
    network: { versions: (id) => this.#ask(id) },
    propose: (operation, waiter) => {
      this.proposed.push(operation);
      if (operation.kind === "clusterVersionSet") {
        this.clusterVersion = operation.version;
        this.incarnation ??= operation.incarnation;
      }
      if (operation.kind === "downgradeInfoSet") this.downgrade = NO_DOWNGRADE;
      waiter.done({ kind: "clusterVersionSet" });
    },
    timers: this.time,
    logger: SILENT,
  });

  #member(id: bigint) {
    return { id, name: `m${id}`, peerUrls: [], clientUrls: [], isLearner: false };
  }

  #ask(id: bigint): Promise<{ server: string; cluster: string }> {
    this.asked += 1;
    const server = this.versions.get(id);
    if (server === "silent") return new Promise(() => undefined);
    if (server === undefined) return Promise.reject(new Error("refused"));
    return Promise.resolve({ server, cluster: "not_decided" });
  }

  async pass(ms: number): Promise<void> {
    this.time.advance(ms);
    await settled();
  }
}

/** Promises that need no time are done. */
async function settled(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await Promise.resolve();
}

test("monitor: the leader decides at once when all answer, and then is quiet (PV-01)", async () => {
  const cluster = new Cluster();
  cluster.monitor.wake();
  await settled();
  assert.deepEqual(cluster.proposed, [{ kind: "clusterVersionSet", version: "3.7.0" }]);
  await cluster.pass(4_000);
  assert.equal(cluster.asked, 4);
  assert.equal(cluster.proposed.length, 1);
});

test("monitor: no incarnation yet → one comes with the first version, and no second one (BT-g6)", async () => {
  const cluster = new Cluster();
  cluster.incarnation = undefined;
  cluster.monitor.wake();
  await settled();
  const first = { kind: "clusterVersionSet", version: "3.7.0", incarnation: "0707070707070707" };
  assert.deepEqual(cluster.proposed, [first]);
  await cluster.pass(4_000);
  assert.equal(cluster.proposed.length, 1);
});

test("monitor: a version and no incarnation → the version again, with one (BT-g6)", async () => {
  const cluster = new Cluster();
  cluster.incarnation = undefined;
  cluster.clusterVersion = "3.7.0";
  cluster.monitor.wake();
  await settled();
  const again = { kind: "clusterVersionSet", version: "3.7.0", incarnation: "0707070707070707" };
  assert.deepEqual(cluster.proposed, [again]);
});

test("monitor: nobody but the leader looks (PV-01)", async () => {
  const cluster = new Cluster();
  cluster.isLeader = false;
  cluster.monitor.wake();
  await cluster.pass(4_000);
  assert.equal(cluster.asked, 0);
  cluster.isLeader = true;
  await cluster.pass(4_000);
  assert.equal(cluster.proposed.length, 1);
});

test("monitor: a founder that comes late is waited for once, then it is 3.0.0 (PV-01, PV-02)", async () => {
  const cluster = new Cluster();
  cluster.versions.set(3n, undefined);
  cluster.monitor.wake();
  await settled();
  assert.deepEqual(cluster.proposed, []);
  await cluster.pass(1_000);
  assert.equal(cluster.clusterVersion, "3.0.0");
  cluster.versions.set(3n, "3.7.1");
  await cluster.pass(3_000);
  assert.equal(cluster.clusterVersion, "3.7.0");
});

test("monitor: a peer that never answers holds up nothing (PV-02)", async () => {
  const cluster = new Cluster();
  cluster.clusterVersion = "3.6.0";
  cluster.versions.set(2n, "silent");
  cluster.monitor.wake();
  await cluster.pass(3_000);
  cluster.versions.set(2n, "3.7.1");
  await cluster.pass(1_000);
  assert.equal(cluster.clusterVersion, "3.7.0");
});

test("monitor: woken while it looks → it looks again (PV-01)", async () => {
  const cluster = new Cluster();
  cluster.clusterVersion = "3.7.0";
  cluster.monitor.wake();
  cluster.monitor.wake();
  await settled();
  assert.equal(cluster.asked, 4);
});

test("monitor: a downgrade ends by itself when all members run its target (MA-09)", async () => {
  const cluster = new Cluster();
  cluster.clusterVersion = "3.7.0";
  cluster.downgrade = DOWN_TO_6;
  cluster.monitor.wake();
  await settled();
  assert.deepEqual(cluster.proposed, [{ kind: "clusterVersionSet", version: "3.6.0" }]);
  await cluster.pass(4_000);
  assert.equal(cluster.proposed.length, 1);
});

test("monitor: closed → no more looks", async () => {
  const cluster = new Cluster();
  cluster.monitor.close();
  cluster.monitor.wake();
  await cluster.pass(8_000);
  assert.equal(cluster.asked, 0);
});
