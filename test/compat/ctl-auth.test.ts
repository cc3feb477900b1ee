/**
 * The commands of the Auth service, of `holdfast ctl` beside Debian's etcdctl 3.4, each on an etcd
 * of its own: what they print and how they exit must be the same.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ctl } from "../harness/ctl.ts";
import { etcdctl, hasEtcd, type Server, start } from "../harness/process.ts";

const skip = hasEtcd() ? false : "etcd and etcdctl are not installed";

describe("CT auth, user and role: etcdctl 3.4 and ours on etcd", { skip }, () => {
  let theirs: Server;
  let ours: Server;
  before(async () => {
    [theirs, ours] = await Promise.all([start("etcd"), start("etcd")]);
  });
  after(async () => {
    await Promise.all([theirs?.dispose(), ours?.dispose()]);
  });

  function mask(text: string): string {
    return text
      .replace(/^\{"level":.*\n/gm, "")
      .replace(/"(cluster_id|member_id|raft_term)":\d+/g, '"$1":N')
      .replace(/"(ClusterID|MemberID|RaftTerm)" : \d+/g, '"$1" : N');
  }

  async function both(args: readonly string[], input = ""): Promise<void> {
    const [their, our] = await Promise.all([
      etcdctl(theirs, args, { input }),
      ctl(["--compat=3.4", "--endpoints", ours.address, ...args], { input, password: "pw" }),
    ]);
    assert.deepEqual(
      { code: our.code, stdout: mask(our.stdout), stderr: mask(our.stderr) },
      { code: their.code, stdout: mask(their.stdout), stderr: mask(their.stderr) },
      args.join(" "),
    );
  }

  test("CT-24 role: permissions of every kind, in every format", async () => {
    for (const args of [
      ["role", "add", "r"],
      ["role", "add", "r"],
      ["role", "add", "s", "-w", "json"],
      ["role", "add", "t", "-w", "fields"],
      ["role", "add"],
      ["role", "grant-permission", "r", "read", "a"],
      ["role", "grant-permission", "r", "write", "b", "d", "-w", "json"],
      ["role", "grant-permission", "r", "readwrite", "p/", "--prefix"],
      ["role", "grant-permission", "r", "READ", "x", "--from-key", "-w", "fields"],
      ["role", "grant-permission", "s", "readwrite", "", "--prefix"],
      ["role", "grant-permission", "none", "read", "a"],
      ["role", "grant-permission", "r", "look", "a"],
      ["role", "grant-permission", "r", "read"],
      ["role", "grant-permission", "r", "read", "a", "b", "--prefix"],
      ["role", "grant-permission", "r", "read", "a", "b", "--from-key"],
      ["role", "grant-permission", "r", "read", "a", "--prefix", "--from-key"],
      ...["simple", "json", "fields", "table"].flatMap((format) => [
        ["role", "get", "r", "-w", format],
        ["role", "get", "s", "-w", format],
        ["role", "list", "-w", format],
      ]),
      ["role", "get", "none"],
      ["role", "revoke-permission", "r", "a"],
      ["role", "revoke-permission", "r", "b", "d"],
      ["role", "revoke-permission", "r", "x", "--from-key"],
      ["role", "revoke-permission", "r", "a"],
      ["role", "revoke-permission", "r"],
      ["role", "delete", "t"],
      ["role", "delete", "t"],
    ]) {
      await both(args);
    }
  });

  test("CT-23 user: passwords from everywhere, roles, in every format", async () => {
    for (const [args, input] of [
      [["user", "add", "alice:pw"]],
      [["user", "add", "alice:pw"]],
      [["user", "add", "bob", "--interactive=false"], "pw rest\n"],
      [["user", "add", "carol", "--new-user-password=pw", "-w", "json"]],
      [["user", "add", "dave", "--no-password", "-w", "fields"]],
      [["user", "add"]],
      [["user", "add", ":pw"]],
      [["user", "grant-role", "alice", "r"]],
      [["user", "grant-role", "alice", "s", "-w", "json"]],
      [["user", "grant-role", "alice", "none"]],
      [["user", "grant-role", "alice"]],
      [["user", "get", "alice"]],
      [["user", "get", "alice", "-w", "json"]],
      [["user", "get", "alice", "-w", "table"]],
      [["user", "get", "alice", "--detail"]],
      [["user", "get", "nobody"]],
      [["user", "list"]],
      [["user", "list", "-w", "json"]],
      [["user", "list", "-w", "table"]],
      [["user", "list", "x"]],
      [["user", "passwd", "alice", "--interactive=false"], "new\n"],
      [["user", "revoke-role", "alice", "s"]],
      [["user", "revoke-role", "alice", "s"]],
      [["user", "delete", "dave"]],
      [["user", "delete", "dave"]],
    ] as [string[], string?][]) {
      await both(args, input);
    }
  });

  test("CT-22 auth: on, what users may, and off", async () => {
    await both(["auth", "enable", "x"]);
    await both(["auth", "enable"]);
    await both(["user", "add", "root:root"]);
    await both(["auth", "enable"]);
    const asked = await ctl(["--endpoints", ours.address, "--user=alice", "get", "p/1"], {
      password: "new",
    });
    assert.deepEqual(asked, { code: 0, stdout: "", stderr: "" }, "the password is asked for");
    for (const args of [
      ["get", "a"],
      ["--user=alice:new", "get", "a"],
      ["--user=alice:new", "put", "a", "1"],
      ["--user=alice:new", "put", "p/1", "1"],
      ["--user=alice:wrong", "get", "a"],
      ["--user=alice", "--password=new", "get", "p/", "--prefix"],
      ["--user=root:root", "role", "get", "root"],
      ["--user=root:root", "user", "list", "-w", "json"],
      ["auth", "disable"],
      ["--user=root:root", "auth", "disable"],
      ["get", "p/1"],
    ]) {
      await both(args);
    }
    const status = await ctl(["--endpoints", ours.address, "auth", "status"]);
    assert.equal(status.code, 1, "etcd 3.4 does not know it");
  });
});
