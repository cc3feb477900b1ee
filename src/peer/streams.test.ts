/** Two members on real sockets: what goes by which way, and what happens when it breaks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openHttpClient, systemClock } from "../host/index.ts";
import type { HttpBody } from "../seam/index.ts";
import { type Message, MessageType } from "../wire/index.ts";
import {
  Arrivals,
  CLUSTER_ID,
  connected,
  entryOf,
  messageOf,
  startConnectedPair,
  startPair,
  startTestMember,
  streamsOf,
  type TestMember,
} from "./fixture.test.ts";

function appendOf(from: TestMember, to: TestMember, parts: Partial<Message>): Message {
  return messageOf({ type: MessageType.APP, from: from.id, to: to.id, ...parts });
}

test("streams: both sides dial both kinds → four streams, each received on the dialled end (PE-01, PE-02, PE-30)", async (t) => {
  const [a, b] = await startConnectedPair(t);
  assert.equal(streamsOf(a, b.id), 4);
  assert.ok(a.peers.network.connectedSinceMs(b.id) !== undefined);
  a.peers.network.send(
    messageOf({ type: MessageType.HEARTBEAT, from: a.id, to: b.id, term: 3, commit: 9 }),
  );
  const heartbeat = await b.handler.messages.next();
  assert.deepEqual(
    heartbeat,
    messageOf({ type: MessageType.HEARTBEAT, from: a.id, to: b.id, term: 3, commit: 9 }),
  );
  b.peers.network.send(messageOf({ type: MessageType.VOTE, from: b.id, to: a.id, term: 4 }));
  assert.equal((await a.handler.messages.next()).type, MessageType.VOTE);
});

test("msgapp stream: appends that go on from each other → the same messages, the second short (PE-32, PE-33)", async (t) => {
  const [a, b] = await startConnectedPair(t);
  const sentBefore = a.peers.measures()[0]?.sentBytes.value ?? 0;
  const first = appendOf(a, b, {
    term: 2,
    logTerm: 1,
    index: 10,
    entries: [entryOf(11, 2, "x"), entryOf(12, 2, "y")],
    commit: 10,
  });
  const second = appendOf(a, b, {
    term: 2,
    logTerm: 2,
    index: 12,
    entries: [entryOf(13, 2, "z".repeat(100_000))],
    commit: 12,
  });
  const third = appendOf(a, b, { term: 2, logTerm: 2, index: 13, entries: [], commit: 13 });
  for (const message of [first, second, third]) a.peers.network.send(message);
  assert.deepEqual(await b.handler.messages.next(), first);
  assert.deepEqual(await b.handler.messages.next(), second);
  assert.deepEqual(await b.handler.messages.next(), third);
  // The third: kind, count and commit, nothing else.
  const sent = (a.peers.measures()[0]?.sentBytes.value ?? 0) - sentBefore;
  assert.ok(sent < 100_000 + 250, `${sent} bytes`);
});

test("send: no stream yet → POST, in whatever order; a snapshot message without a file too (PE-03, PE-36)", async (t) => {
  const a = await startTestMember(t, 0xan);
  const b = await startTestMember(t, 0xbn);
  // b does not know a, so a's dials get 404 and b never dials.
  a.peers.network.add(b.id, [b.url]);
  a.peers.network.send(messageOf({ type: MessageType.VOTE, from: a.id, to: b.id, term: 4 }));
  const vote = await b.handler.messages.next();
  assert.equal(vote.type, MessageType.VOTE);
  assert.equal(vote.from, a.id);
  // a showed its URLs, so b can answer it although it is no member there.
  b.peers.network.send(messageOf({ type: MessageType.VOTE_RESP, from: b.id, to: a.id, term: 4 }));
  assert.equal((await a.handler.messages.next()).type, MessageType.VOTE_RESP);
});

test("peer gone: its process ends → told within a moment, and again only after it came back (PE-35)", async (t) => {
  let aheadMs = 0;
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
  const [a, b] = await startConnectedPair(t, { clock });
  // The streams have been up for longer than dials must lie apart.
  aheadMs = 1000;
  const startMs = performance.now();
  await b.kill();
  assert.equal(await a.handler.gone.next(), b.id);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < 500, `noticed after ${tookMs} ms`);
  assert.equal(await a.handler.unreachables.next(), b.id);
  const again = await startTestMember(t, b.id, { listenUrl: b.url });
  again.peers.network.add(a.id, [a.url]);
  await connected(a, again);
  assert.equal(a.handler.gone.all.length, 1);
  a.peers.network.send(messageOf({ type: MessageType.VOTE, from: a.id, to: b.id, term: 4 }));
  assert.equal((await again.handler.messages.next()).type, MessageType.VOTE);
});

/** A raw dial of a stream, as a peer does it. */
async function dial(
  t: { after(run: () => void): void },
  to: TestMember,
  options: { target: string; headers?: Record<string, string>; method?: string },
) {
  const http = openHttpClient();
  t.after(() => http.close());
  const answer = await http.request({
    method: options.method ?? "GET",
    url: to.url,
    target: options.target,
    headers: {
      "x-server-from": "c",
      "x-server-version": "3.7.1",
      "x-min-cluster-version": "3.0.0",
      "x-etcd-cluster-id": CLUSTER_ID.toString(16),
      "x-raft-to": to.id.toString(16),
      ...options.headers,
    },
    connectTimeoutMs: 1000,
    answerTimeoutMs: 1000,
    isAlone: true,
  });
  return answer;
}

function ended(body: HttpBody): Promise<void> {
  return new Promise((resolve) => {
    body.start({ onData() {}, onEnd: () => resolve(), onError: () => resolve() });
  });
}

test("streams: a newer one of the same kind and member → replaces the older (PE-37)", async (t) => {
  const b = await startTestMember(t, 0xbn);
  b.peers.network.add(0xcn, ["http://127.0.0.1:1"]);
  const older = await dial(t, b, { target: "/raft/stream/message/c" });
  assert.equal(older.status, 200);
  const isOlderOver = ended(older.body);
  const newer = await dial(t, b, { target: "/raft/stream/message/c" });
  assert.equal(newer.status, 200);
  assert.equal(newer.headers["x-server-version"], "3.7.1");
  assert.equal(newer.headers["x-etcd-cluster-id"], CLUSTER_ID.toString(16));
  await isOlderOver;
  const chunk = new Promise<Buffer>((resolve, reject) => {
    newer.body.start({ onData: resolve, onEnd: reject, onError: reject });
  });
  b.peers.network.send(messageOf({ type: MessageType.VOTE, from: b.id, to: 0xcn, term: 4 }));
  assert.ok((await chunk).length > 8);
});

test("stream dial: a stranger that shows its URLs → 404, and from then on can be sent to (PE-21)", async (t) => {
  const b = await startTestMember(t, 0xbn);
  const c = await startTestMember(t, 0xcn);
  const headers = { "x-peerurls": c.url };
  const answer = await dial(t, b, { target: "/raft/stream/message/c", headers });
  assert.equal(answer.status, 404);
  answer.body.destroy();
  b.peers.network.send(messageOf({ type: MessageType.VOTE, from: b.id, to: c.id, term: 4 }));
  assert.equal((await c.handler.messages.next()).from, b.id);
});

const REFUSALS: readonly {
  what: string;
  target?: string;
  headers?: Record<string, string>;
  method?: string;
  status: number;
}[] = [
  { what: "another cluster", headers: { "x-etcd-cluster-id": "1" }, status: 412 },
  { what: "a version too old", headers: { "x-server-version": "2.3.8" }, status: 412 },
  { what: "one that asks for more", headers: { "x-min-cluster-version": "3.8.0" }, status: 412 },
  { what: "another member's name", headers: { "x-raft-to": "d" }, status: 412 },
  { what: "an unknown kind", target: "/raft/stream/other/c", status: 404 },
  { what: "no id", target: "/raft/stream/message/xyz", status: 404 },
  { what: "a stranger", target: "/raft/stream/message/dead", status: 404 },
  { what: "a removed member", target: "/raft/stream/message/e", status: 410 },
  { what: "the wrong method", method: "POST", status: 405 },
];

test("stream dial: what does not fit → 410 before 404 before 412, as members expect (PE-20, PE-21, PE-22, PE-38, PE-39)", async (t) => {
  const b = await startTestMember(t, 0xbn);
  b.peers.network.add(0xcn, ["http://127.0.0.1:1"]);
  b.handler.removed.add(0xen);
  for (const { what, target = "/raft/stream/message/c", status, ...rest } of REFUSALS) {
    const answer = await dial(t, b, { target, ...rest });
    assert.equal(answer.status, status, what);
    answer.body.destroy();
  }
});

test("stream dial: answered 410 → this member hears that it was removed, once (PE-20)", async (t) => {
  const [a, b] = await startPair(t);
  b.handler.removed.add(a.id);
  b.peers.network.remove(a.id);
  await a.handler.removals.next();
  await a.log.line("status 410");
  assert.equal(a.handler.removals.all.length, 1);
});

test("stream dial: refused again and again → ten attempts a second at most (PE-35)", async (t) => {
  const a = await startTestMember(t, 0xan);
  const b = await startTestMember(t, 0xbn);
  const dialledMs = new Arrivals<number>();
  b.route = (request, response) => {
    if (request.path.includes("msgapp")) dialledMs.add(performance.now());
    response.send(404, {}, "error sender not found\n");
  };
  a.peers.network.add(b.id, [b.url]);
  const firstMs = await dialledMs.next();
  await dialledMs.next();
  await dialledMs.next();
  const tookMs = (await dialledMs.next()) - firstMs;
  // Timers may fire a millisecond early.
  assert.ok(tookMs >= 3 * 99, `four dials in ${tookMs} ms`);
});

test("stream dial: an older member of a version without streams → not used (PE-39)", async (t) => {
  const a = await startTestMember(t, 0xan);
  const b = await startTestMember(t, 0xbn, { serverVersion: "2.0.0" });
  b.peers.network.add(a.id, [a.url]);
  b.route = (_request, response) => response.writeHead(200, { "x-server-version": "2.0.9" });
  a.peers.network.add(b.id, [b.url]);
  await a.log.line("not known to have streams");
  assert.equal(streamsOf(a, b.id), 0);
});

test("received frames: a hostile length → the stream is closed and dialled again (PE-31)", async (t) => {
  const a = await startTestMember(t, 0xan);
  const b = await startTestMember(t, 0xbn);
  b.route = (_request, response) => {
    response.writeHead(200, { "x-server-version": "3.7.1" });
    response.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
  };
  a.peers.network.add(b.id, [b.url]);
  await a.log.line("lost a stream from a peer");
  b.route = b.peers.handle;
  b.peers.network.add(a.id, [a.url]);
  await connected(a, b);
});

test("silent stream: nothing within the read timeout → dropped; link heartbeats keep a good one (PE-34)", async (t) => {
  const [a, b] = await startConnectedPair(t, { readTimeoutMs: 600 });
  const mute = await startTestMember(t, 0xcn);
  mute.route = (_request, response) => response.writeHead(200, { "x-server-version": "3.7.1" });
  a.peers.network.add(mute.id, [mute.url]);
  await a.log.line("lost a stream from a peer");
  await a.log.until(() => (rowOf(a, mute)?.receivedFailures.value ?? 0) >= 2);
  assert.equal(streamsOf(a, b.id), 4);
  assert.equal(rowOf(a, b)?.receivedFailures.value, 0);
});

function rowOf(member: TestMember, other: TestMember) {
  return member.peers.measures().find((row) => row.id === other.id);
}

test("close: what was sent just before → still arrives; then nobody is taken in", async (t) => {
  const [a, b] = await startConnectedPair(t);
  for (let at = 1; at <= 50; at += 1) {
    const parts = { type: MessageType.TIMEOUT_NOW, from: a.id, to: b.id, term: at };
    a.peers.network.send(messageOf(parts));
  }
  await a.peers.network.close();
  for (let at = 1; at <= 50; at += 1) assert.equal((await b.handler.messages.next()).term, at);
  const answer = await dial(t, a, { target: "/raft/stream/message/b" });
  assert.equal(answer.status, 404);
  answer.body.destroy();
  assert.equal(a.peers.network.connectedSinceMs(b.id), undefined);
  a.peers.network.send(messageOf({ type: MessageType.VOTE, from: a.id, to: b.id, term: 99 }));
});

test("message by POST: from a removed member or to another one → 403 (PE-23)", async (t) => {
  const a = await startTestMember(t, 0xan);
  const b = await startTestMember(t, 0xbn);
  b.handler.receipt = "notForMe";
  a.peers.network.add(b.id, [b.url]);
  a.peers.network.send(messageOf({ type: MessageType.VOTE, from: a.id, to: b.id, term: 4 }));
  await a.log.line("for another member");
  assert.equal(a.handler.removals.all.length, 0);
  b.handler.receipt = "senderRemoved";
  a.peers.network.send(messageOf({ type: MessageType.VOTE, from: a.id, to: b.id, term: 4 }));
  await a.handler.removals.next();
});
