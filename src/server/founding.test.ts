import assert from "node:assert/strict";
import { test } from "node:test";
import { checkInitialCluster } from "./founding.ts";
import { readInitialCluster } from "./initial-cluster.ts";

const PEER = "http://127.0.0.1:23802";

async function refusal(
  cluster: string,
  advertised: readonly string[] = [PEER],
  state: "new" | "existing" = "new",
): Promise<string> {
  const resolve = async (host: string): Promise<string> => {
    if (host === "named.example") return "127.0.0.1";
    throw new Error(`getaddrinfo ENOTFOUND ${host}`);
  };
  try {
    await checkInitialCluster(
      {
        name: "a",
        advertisePeerUrls: advertised,
        initialCluster: readInitialCluster(cluster),
        initialClusterState: state,
      },
      resolve,
    );
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

test("initial cluster: this member is in it, under the URLs that it advertises → taken", async () => {
  assert.equal(await refusal(`a=${PEER},b=http://h:1`), "");
  assert.equal(await refusal(`b=http://h:1, a=${PEER}`), "");
  assert.equal(
    await refusal(`a=http://h:2,a=${PEER},b=http://h:1`, ["http://h:2", PEER]),
    "",
    "a name repeated has several URLs (ID-05)",
  );
  assert.equal(await refusal("a=http://named.example:23802"), "", "the same after the DNS");
});

test("initial cluster: refused in etcd's words", async () => {
  assert.match(
    await refusal(`b=${PEER}`),
    /^couldn't find local name "a" in the initial cluster configuration/,
  );
  assert.equal(
    await refusal("a=http://127.0.0.1:23803"),
    "--initial-cluster has a=http://127.0.0.1:23803 but missing from " +
      "--initial-advertise-peer-urls=http://127.0.0.1:23802 " +
      '(resolved urls: "http://127.0.0.1:23802" != "http://127.0.0.1:23803")',
  );
  assert.equal(
    await refusal(`a=${PEER},a=http://127.0.0.1:23803`),
    "--initial-cluster has a=http://127.0.0.1:23803 but missing from " +
      "--initial-advertise-peer-urls=http://127.0.0.1:23802 " +
      '(len(["http://127.0.0.1:23802"]) != len(["http://127.0.0.1:23802" "http://127.0.0.1:23803"]))',
  );
  assert.equal(
    await refusal(`a=${PEER}`, [PEER, "http://h:1"]),
    `--initial-advertise-peer-urls has http://h:1 but missing from --initial-cluster=a=${PEER}`,
  );
  assert.match(
    await refusal(`a=${PEER},b=${PEER}`),
    /^initial cluster a=http:\/\/127.0.0.1:23802,b=http:\/\/127.0.0.1:23802 has duplicate url/,
  );
  assert.match(await refusal("a=http://gone.example:1"), /failed to resolve .*gone\.example/);
});

test("initial cluster: one that joins has told its URLs before, the name must be there all the same", async () => {
  assert.equal(await refusal("a=http://h:1,b=http://h:2", [PEER], "existing"), "");
  assert.match(await refusal("b=http://h:2", [PEER], "existing"), /couldn't find local name/);
});

test("initial cluster: what is no URL of a peer is refused, quoting it", () => {
  const reading = (text: string) => () => readInitialCluster(text);
  assert.throws(
    reading("a"),
    /error setting up initial cluster: URL scheme must be http, https, unix, or unixs: a is not/,
  );
  assert.throws(reading("a=127.0.0.1:1"), /URL scheme must be .*: 127\.0\.0\.1:1 /);
  assert.throws(reading("a=http://h"), /does not have the form "host:port": http:\/\/h /);
  assert.throws(reading("a=http://h:1/x"), /URL must not contain a path: http:\/\/h:1\/x /);
  assert.deepEqual(readInitialCluster("a=unix:///tmp/s"), [
    { name: "a", peerUrls: ["unix:///tmp/s"] },
  ]);
  assert.deepEqual(readInitialCluster("a=http://[::1]:1,"), [
    { name: "a", peerUrls: ["http://[::1]:1"] },
  ]);
});
