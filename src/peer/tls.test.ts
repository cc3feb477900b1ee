/** Members over TLS, each showing its certificate to the other. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { makeSelfSigned, TlsMaterial, type TlsOptions } from "../host/index.ts";
import { MessageType } from "../wire/index.ts";
import {
  connected,
  messageOf,
  RecordingLogger,
  startTestMember,
  streamsOf,
  type TestMember,
} from "./fixture.test.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-peer-tls-"));
after(() => rmSync(directory, { recursive: true }));

function path(name: string): string {
  return join(directory, name);
}

function openssl(...parts: string[]): void {
  execFileSync("openssl", parts, { cwd: directory, stdio: "pipe" });
}

function authority(name: string): void {
  openssl(
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    ...["-days", "30", "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.pem`],
  );
}

function issue(name: string, issuer: string): void {
  openssl(
    ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    ...["-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.csr`],
  );
  writeFileSync(path(`${name}.ext`), "subjectAltName=IP:127.0.0.1\n");
  openssl(
    ...["x509", "-req", "-in", `${name}.csr`, "-CA", `${issuer}.pem`, "-CAkey", `${issuer}.key`],
    ...["-CAcreateserial", "-days", "30", "-extfile", `${name}.ext`, "-out", `${name}.pem`],
  );
}

before(() => {
  authority("ca");
  authority("ca2");
  issue("one", "ca");
  issue("two", "ca");
  issue("foreign", "ca2");
});

function files(name: string, more: Partial<TlsOptions> = {}): TlsOptions {
  return {
    certFile: path(`${name}.pem`),
    keyFile: path(`${name}.key`),
    trustedCaFile: path("ca.pem"),
    clientCertAuth: true,
    ...more,
  };
}

async function secure(t: TestContext, id: bigint, options: TlsOptions): Promise<TestMember> {
  const tls = await TlsMaterial.load(options, new RecordingLogger());
  return startTestMember(t, id, {
    listenUrl: "https://127.0.0.1:0",
    listenTls: tls,
    clientTls: { tls },
  });
}

function join2(a: TestMember, b: TestMember): void {
  a.peers.network.add(b.id, [b.url]);
  b.peers.network.add(a.id, [a.url]);
}

test("TLS peers: one authority, each shows its certificate → connected, messages pass (TL-01)", async (t) => {
  const a = await secure(t, 0xan, files("one"));
  const b = await secure(t, 0xbn, files("two"));
  join2(a, b);
  await Promise.all([connected(a, b), connected(b, a)]);
  a.peers.network.send(messageOf({ type: MessageType.VOTE, from: a.id, to: b.id, term: 1 }));
  assert.equal((await b.handler.messages.next()).type, MessageType.VOTE);
  assert.deepEqual(await a.peers.network.versions(b.id), { server: "3.7.1", cluster: "3.7.0" });
});

test("TLS peers: a certificate of another authority → neither side takes the other", async (t) => {
  const a = await secure(t, 0xan, files("one"));
  const b = await secure(t, 0xbn, files("foreign", { trustedCaFile: path("ca2.pem") }));
  join2(a, b);
  await Promise.all([a.log.line("cannot open a stream"), b.log.line("cannot open a stream")]);
  assert.equal(streamsOf(a, b.id), 0);
  assert.equal(streamsOf(b, a.id), 0);
});

test("TLS peers: a common name that is not allowed → neither let in nor believed when dialled (TL-04)", async (t) => {
  const a = await secure(t, 0xan, files("one", { allowedCommonNames: ["one"] }));
  const b = await secure(t, 0xbn, files("two", { allowedCommonNames: ["one", "other"] }));
  join2(a, b);
  await a.log.line("rejected connection");
  await a.log.line("cannot open a stream");
  assert.ok(a.log.lines.every((line) => line.includes("certificate common name is not allowed")));
  assert.equal(streamsOf(a, b.id), 0);
});

test("TLS peers: the certificate on disk changes → the next dial shows the new one (TL-01)", async (t) => {
  for (const end of ["pem", "key"]) copyFileSync(path(`foreign.${end}`), path(`rotated.${end}`));
  const a = await secure(t, 0xan, files("one"));
  const b = await secure(t, 0xbn, files("rotated"));
  join2(a, b);
  await Promise.all([a.log.line("cannot open a stream"), b.log.line("cannot open a stream")]);
  issue("rotated", "ca");
  await Promise.all([connected(a, b), connected(b, a)]);
});

test("TLS peers: certificates that they made themselves → taken unchecked (TL-05)", async (t) => {
  const members: TestMember[] = [];
  for (const id of [0xan, 0xbn]) {
    const { cert, key } = makeSelfSigned({ hosts: ["x"], validYears: 1, now: new Date() });
    writeFileSync(path(`self${id}.pem`), cert);
    writeFileSync(path(`self${id}.key`), key);
    const own = { certFile: path(`self${id}.pem`), keyFile: path(`self${id}.key`) };
    const tls = await TlsMaterial.load(own, new RecordingLogger());
    members.push(
      await startTestMember(t, id, {
        listenUrl: "https://127.0.0.1:0",
        listenTls: tls,
        clientTls: { tls, isUnverified: true },
      }),
    );
  }
  const [a, b] = members as [TestMember, TestMember];
  join2(a, b);
  await Promise.all([connected(a, b), connected(b, a)]);
});

test("unix peers: sockets instead of ports → the same, and a process that ends is noticed (PE-35)", async (t) => {
  const a = await startTestMember(t, 0xan, { listenUrl: `unix://${path("a.sock")}` });
  const b = await startTestMember(t, 0xbn, { listenUrl: `unix://${path("b.sock")}` });
  join2(a, b);
  await Promise.all([connected(a, b), connected(b, a)]);
  await b.kill();
  assert.equal(await a.handler.gone.next(), b.id);
});
