import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterMember } from "../../client/index.ts";
import { checkMember, clusterVerdict, type Verdict } from "./health.ts";

const MEMBER: ClusterMember = {
  id: 0x7432a80b1896e97n,
  name: "etcd_2",
  peerUrls: ["https://10.10.1.12:2380"],
  clientUrls: ["https://10.10.1.12:2379"],
  isLearner: false,
};
const REFUSED = "dial tcp 10.10.1.12:2379: connect: connection refused";

/** What is printed of a member whose pages are `pages`; text fails, in Go's words, after "!". */
async function told(pages: Record<string, string>, minor = 7, member = MEMBER): Promise<string> {
  const get = (url: string): Promise<string> => {
    const page = pages[url] ?? "!no page";
    return page.startsWith("!") ? Promise.reject(new Error(page.slice(1))) : Promise.resolve(page);
  };
  return (await checkMember(member, { minor, get })).lines.join("");
}

const URL = "https://10.10.1.12:2379/health";

test("cluster-health: a member that says so → healthy, its id without leading zeros (EQ-d2)", async () => {
  const line =
    "member 7432a80b1896e97 is healthy: got healthy result from https://10.10.1.12:2379\n";
  const pages = ['{"health":"true"}', '{"health": "true"}', '{"health":true}'];
  pages.push('{"health":"true","reason":""}');
  for (const page of pages) assert.equal(await told({ [URL]: page }), line, page);
});

test("cluster-health: a member without a leader → unhealthy (EQ-d2)", async () => {
  const line =
    "member 7432a80b1896e97 is unhealthy: got unhealthy result from https://10.10.1.12:2379\n";
  for (const page of ['{"health":"false","reason":"RAFT NO LEADER"}', '{"health":false}']) {
    assert.equal(await told({ [URL]: page }), line, page);
  }
});

test("cluster-health: nobody listens → unreachable, in the words of the etcdctl wanted (EQ-d2)", async () => {
  const last =
    "member 7432a80b1896e97 is unreachable: [https://10.10.1.12:2379] are all unreachable\n";
  const begin =
    "failed to check the health of member 7432a80b1896e97 on https://10.10.1.12:2379: Get ";
  assert.equal(
    await told({ [URL]: `!${REFUSED}` }, 2),
    `${begin}${URL}: dial tcp 10.10.1.12:2379: getsockopt: connection refused\n${last}`,
  );
  assert.equal(await told({ [URL]: `!${REFUSED}` }, 4), `${begin}"${URL}": ${REFUSED}\n${last}`);
});

test("cluster-health: the first URL that answers decides (EQ-d2)", async () => {
  const clientUrls = ["http://a:1", "http://b:2", "http://c:3"];
  const text = await told(
    { "http://a:1/health": "!EOF", "http://b:2/health": '{"health":"false"}' },
    7,
    { ...MEMBER, clientUrls },
  );
  assert.equal(
    text,
    'failed to check the health of member 7432a80b1896e97 on http://a:1: Get "http://a:1/health": EOF\n' +
      "member 7432a80b1896e97 is unhealthy: got unhealthy result from http://b:2\n",
  );
});

test("cluster-health: whatever answers is no member → unreachable, no crash (EQ-d2)", async () => {
  for (const page of ["", "<html>", "null", "[]", '{"health":7}', "{}"]) {
    const text = await told({ [URL]: page });
    assert.match(text, /^failed to check .*\nmember .* are all unreachable\n$/, page);
  }
});

test("cluster-health: never started → no available published client urls (EQ-d2)", async () => {
  assert.equal(
    await told({}, 7, { ...MEMBER, clientUrls: [] }),
    "member 7432a80b1896e97 is unreachable: no available published client urls\n",
  );
});

test("cluster-health: the last line and what it means up to 3.2 and since 3.3 (EQ-d2)", () => {
  const cases: [Verdict[], string, string][] = [
    [["healthy", "healthy"], "healthy", "healthy"],
    [["healthy", "unreachable"], "healthy", "degraded"],
    [["healthy", "unpublished", "unhealthy"], "healthy", "degraded"],
    [["unhealthy", "unreachable"], "unhealthy", "unavailable"],
  ];
  for (const [verdicts, old, now] of cases) {
    for (const [minor, word] of [
      [2, old],
      [3, now],
      [7, now],
    ] as const) {
      assert.deepEqual(clusterVerdict(verdicts, minor), {
        line: `cluster is ${word}\n`,
        isHealthy: word === "healthy",
      });
    }
  }
});
