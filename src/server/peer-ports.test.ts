import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { HttpClient, Logger } from "../seam/index.ts";
import { bindPeerPorts } from "./peer-ports.ts";
import { resolveConfig } from "./server-config.ts";

const logger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isEnabled: () => false,
  child: () => logger,
};

function ports(t: TestContext, flags: Readonly<Record<string, string>>) {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-peer-ports-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const settings = { "data-dir": directory, ...flags };
  return bindPeerPorts(resolveConfig(new Map(Object.entries(settings))).config, logger);
}

async function ask(http: HttpClient, url: string): Promise<[number, string]> {
  const { status, body } = await http.request({
    method: "GET",
    url,
    target: "/members",
    headers: {},
    connectTimeoutMs: 5_000,
    answerTimeoutMs: 5_000,
  });
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve, reject) =>
    body.start({ onData: (chunk) => chunks.push(chunk), onEnd: () => resolve(), onError: reject }),
  );
  return [status, Buffer.concat(chunks).toString()];
}

test("peer ports: bound before the member is there → 503 until it is, then its answers", async (t) => {
  const peers = await ports(t, { "listen-peer-urls": "http://127.0.0.1:0,http://localhost:0" });
  t.after(() => peers.close());
  assert.equal(peers.urls.length, 2);
  for (const url of peers.urls) assert.equal((await ask(peers.http, url))[0], 503);
  peers.open((_request, response) => response.send(200, {}, "[]"));
  for (const url of peers.urls) assert.deepEqual(await ask(peers.http, url), [200, "[]"]);
  await peers.close();
  await assert.rejects(ask(peers.http, peers.urls[0] as string));
});

test("peer ports: --peer-auto-tls makes a certificate, and members do not check the others' (TL-05)", async (t) => {
  const flags = { "listen-peer-urls": "https://127.0.0.1:0", "peer-auto-tls": "true" };
  const [one, other] = [await ports(t, flags), await ports(t, flags)];
  t.after(() => Promise.all([one.close(), other.close()]));
  one.open((request, response) => response.send(200, {}, `tls=${request.peer.isTls}`));
  assert.deepEqual(await ask(other.http, one.urls[0] as string), [200, "tls=true"]);
});

test("peer ports: one that is taken ends the start, naming the URL", async (t) => {
  const peers = await ports(t, { "listen-peer-urls": "http://127.0.0.1:0" });
  t.after(() => peers.close());
  const url = peers.urls[0] as string;
  await assert.rejects(ports(t, { "listen-peer-urls": url }), (error: Error) => {
    assert.match(error.message, /cannot listen on .*: the address is already in use/);
    return true;
  });
});
