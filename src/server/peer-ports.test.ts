import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connect } from "node:tls";
import { makeSelfSigned } from "../host/index.ts";
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

/** The certificate that is shown at a URL. */
async function shown(url: string): Promise<string | undefined> {
  const { hostname: host, port } = new URL(url);
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const serial = socket.getPeerX509Certificate()?.serialNumber;
  socket.destroy();
  return serial;
}

test("peer ports: files that are replaced are shown to the next member that comes (TL-01)", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-peer-files-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [certFile, keyFile] = [join(directory, "cert.pem"), join(directory, "key.pem")];
  const issue = (): void => {
    const made = makeSelfSigned({ hosts: ["127.0.0.1"], validYears: 1, now: new Date() });
    for (const [path, text] of [
      [keyFile, made.key],
      [certFile, made.cert],
    ] as const) {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    }
  };
  issue();
  const peers = await ports(t, {
    "listen-peer-urls": "https://127.0.0.1:0",
    "peer-cert-file": certFile,
    "peer-key-file": keyFile,
  });
  t.after(() => peers.close());
  const [url = ""] = peers.urls;
  const before = await shown(url);
  assert.equal(await shown(url), before);
  issue();
  assert.notEqual(await shown(url), before);
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
