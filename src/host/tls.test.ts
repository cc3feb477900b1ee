import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import * as http2 from "node:http2";
import { type AddressInfo, connect as connectSocket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { promisify } from "node:util";
import type { Connection, Logger } from "../seam/index.ts";
import {
  ConnectionGate,
  keepSelfSigned,
  listen,
  type ListenOptions,
  makeSelfSigned,
  TlsMaterial,
  type TlsOptions,
} from "./index.ts";

const run = promisify(execFile);

const logged: string[] = [];
const logger: Logger = {
  debug() {},
  info: (message) => void logged.push(message),
  warn: (message, fields) => void logged.push(`${message} ${JSON.stringify(fields)}`),
  error: (message, fields) => void logged.push(`${message} ${JSON.stringify(fields)}`),
  isEnabled: () => true,
  child: () => logger,
};

/** A certificate authority with two servers and two clients, by the openssl tool. */
class Pki {
  readonly directory = mkdtempSync(join(tmpdir(), "holdfast-tls-"));

  constructor() {
    this.authority("ca");
    this.authority("ca2");
    this.issue("server", "ca", "DNS:localhost,IP:127.0.0.1");
    this.issue("server2", "ca2", "DNS:localhost,IP:127.0.0.1");
    this.issue("alice", "ca", "DNS:alice.example,DNS:*.pods.example");
    this.issue("bob", "ca", "DNS:bob.example");
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  read(name: string): Buffer {
    return readFileSync(this.path(name));
  }

  #openssl(...parts: string[]): void {
    execFileSync("openssl", parts, { cwd: this.directory, stdio: "pipe" });
  }

  authority(name: string): void {
    this.#openssl(
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-days", "30", "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.pem`],
    );
    writeFileSync(this.path(`${name}.idx`), "");
    writeFileSync(
      this.path(`${name}.cnf`),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${name}.idx\ndefault_md=sha256\ndefault_crl_days=30\n` +
        `certificate=${name}.pem\nprivate_key=${name}.key\n`,
    );
  }

  issue(name: string, issuer: string, san: string): void {
    this.#openssl(
      ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-subj", `/O=test/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.csr`],
    );
    writeFileSync(this.path(`${name}.ext`), `subjectAltName=${san}\n`);
    this.#openssl(
      ...["x509", "-req", "-in", `${name}.csr`, "-CA", `${issuer}.pem`, "-CAkey", `${issuer}.key`],
      ...["-CAcreateserial", "-days", "30", "-extfile", `${name}.ext`, "-out", `${name}.pem`],
    );
  }

  revoke(issuer: string, names: readonly string[], form: "PEM" | "DER"): void {
    for (const name of names)
      this.#openssl("ca", "-config", `${issuer}.cnf`, "-revoke", `${name}.pem`);
    this.#openssl("ca", "-config", `${issuer}.cnf`, "-gencrl", "-out", "crl.tmp");
    this.#openssl("crl", "-in", "crl.tmp", "-outform", form, "-out", `${issuer}.crl.new`);
    renameSync(this.path(`${issuer}.crl.new`), this.path(`${issuer}.crl`));
  }
}

let pki: Pki;
before(() => {
  pki = new Pki();
});
after(() => rmSync(pki.directory, { recursive: true }));

function serverFiles(): TlsOptions {
  return { certFile: pki.path("server.pem"), keyFile: pki.path("server.key") };
}

async function secured(
  t: TestContext,
  tlsOptions: TlsOptions,
  options: Partial<ListenOptions> = {},
): Promise<{ port: number; urls: string[]; connections: Connection[] }> {
  const tls = await TlsMaterial.load(tlsOptions, logger);
  const gate = new ConnectionGate(100);
  const connections: Connection[] = [];
  const listeners = await listen({
    urls: ["https://127.0.0.1:0"],
    tls,
    gate,
    logger,
    http: async (request) => ({
      status: 200,
      headers: {},
      body: `hello ${request.peer.certificateCommonName ?? "nobody"} tls=${request.peer.isTls}\n`,
    }),
    onConnection: (connection) => {
      connections.push(connection);
      connection.events = {
        onData: () => connection.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])),
        onDrain() {},
        onClose() {},
      };
    },
    ...options,
  });
  t.after(async () => {
    await Promise.all(listeners.map((listener) => listener.close()));
    gate.destroyAll();
  });
  const urls = listeners.map((listener) => listener.url);
  return { port: Number(new URL(urls[0] as string).port), urls, connections };
}

interface Seen {
  readonly text: string;
  readonly certificate: X509Certificate | undefined;
  readonly cipher: string;
}

/** One HTTP/1.1 request over TLS. Rejects when the server closes without an answer. */
async function ask(port: number, options: ConnectionOptions = {}): Promise<Seen> {
  const socket = connectTls({
    port,
    host: "127.0.0.1",
    ca: [pki.read("ca.pem"), pki.read("ca2.pem")],
    ...options,
  });
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, "secureConnect");
  const certificate = socket.getPeerX509Certificate();
  const cipher = socket.getCipher().standardName;
  await once(socket, "close");
  if (!text.includes("hello")) throw new Error("closed without an answer");
  return { text, certificate, cipher };
}

function client(name: string): ConnectionOptions {
  return { cert: pki.read(`${name}.pem`), key: pki.read(`${name}.key`) };
}

test("tls: HTTP/1.1 without ALPN, h2 by ALPN → each to its own side (FR-11)", async (t) => {
  const { port, connections } = await secured(t, serverFiles());
  assert.match((await ask(port)).text, /^HTTP\/1\.1 200 OK\r\n[^]*hello nobody tls=true/);
  assert.equal(connections.length, 0);
  const session = http2.connect(`https://127.0.0.1:${port}`, { ca: pki.read("ca.pem") });
  await once(session, "remoteSettings");
  assert.equal(session.alpnProtocol, "h2");
  assert.equal(connections[0]?.peer.isTls, true);
  session.destroy();
});

/** Two URLs of port 0 would get two ports: one that was free a moment ago, or the next such one. */
async function sharedPort(t: TestContext): Promise<{ urls: string[]; port: number }> {
  for (let attempt = 0; ; attempt += 1) {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    try {
      return await secured(t, serverFiles(), {
        urls: [`http://127.0.0.1:${port}`, `https://127.0.0.1:${port}`],
      });
    } catch (error) {
      if (attempt === 9) throw error;
    }
  }
}

test("tls: http and https URLs of one port → both are served there (FR-11)", async (t) => {
  const { urls, port } = await sharedPort(t);
  assert.equal(urls.length, 2);
  assert.match((await ask(port)).text, /tls=true/);
  const plain = await fetch(`http://127.0.0.1:${port}/`);
  assert.match(await plain.text(), /tls=false/);
});

test("tls: openssl s_client verifies the chain and talks", async (t) => {
  const { port } = await secured(t, serverFiles());
  const command = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -verify_return_error -CAfile ca.pem -connect 127.0.0.1:${port}`;
  const { stdout } = await run("sh", ["-c", command], { cwd: pki.directory, timeout: 10_000 });
  assert.match(stdout, /hello nobody/);
});

test("tls: certificate and key replaced → the next handshake shows the new one (TL-01)", async (t) => {
  const certFile = pki.path("live.pem");
  const keyFile = pki.path("live.key");
  copyFileSync(pki.path("server.pem"), certFile);
  copyFileSync(pki.path("server.key"), keyFile);
  const { port } = await secured(t, { certFile, keyFile });
  assert.match((await ask(port)).certificate?.subject ?? "", /CN=server$/);

  copyFileSync(pki.path("server2.pem"), certFile);
  // The key is still the former one: what was good stays in use, and it is told.
  assert.match((await ask(port)).certificate?.subject ?? "", /CN=server$/);
  assert.ok(logged.some((line) => line.includes("cannot be used")));

  copyFileSync(pki.path("server2.key"), keyFile);
  assert.match((await ask(port)).certificate?.subject ?? "", /CN=server2$/);
});

test("tls: CA bundle replaced → clients of the new authority are let in, of the old no more (TL-01)", async (t) => {
  const trustedCaFile = pki.path("bundle.pem");
  copyFileSync(pki.path("ca2.pem"), trustedCaFile);
  const { port } = await secured(t, { ...serverFiles(), trustedCaFile });
  await assert.rejects(ask(port, client("alice")));
  copyFileSync(pki.path("ca.pem"), trustedCaFile);
  assert.match((await ask(port, client("alice"))).text, /hello alice/);
  await assert.rejects(ask(port, client("server2")));
});

test("tls: client-cert-auth → no certificate, or a foreign one, is refused; the name is known", async (t) => {
  const trustedCaFile = pki.path("ca.pem");
  const { port } = await secured(t, { ...serverFiles(), trustedCaFile, clientCertAuth: true });
  await assert.rejects(ask(port));
  await assert.rejects(ask(port, client("server2")));
  assert.match((await ask(port, client("alice"))).text, /hello alice tls=true/);
});

test("tls: a revoked certificate is refused from the next handshake on, PEM or DER (TL-02)", async (t) => {
  pki.revoke("ca", [], "PEM");
  const crlFile = pki.path("ca.crl");
  const options = { ...serverFiles(), trustedCaFile: pki.path("ca.pem"), crlFile };
  const { port } = await secured(t, options);
  assert.match((await ask(port, client("bob"))).text, /hello bob/);
  pki.revoke("ca", ["bob"], "PEM");
  await assert.rejects(ask(port, client("bob")));
  assert.ok(logged.some((line) => line.includes("is revoked")));
  assert.match((await ask(port, client("alice"))).text, /hello alice/);
  pki.revoke("ca", [], "DER");
  await assert.rejects(ask(port, client("bob")));
  writeFileSync(crlFile, "no list");
  await assert.rejects(ask(port, client("bob")), "the last good list stays in use");
});

test("tls: SANs that do not match the caller's address are no reason to refuse: no DNS (TL-03)", async (t) => {
  const { port } = await secured(t, { ...serverFiles(), trustedCaFile: pki.path("ca.pem") });
  assert.match((await ask(port, client("alice"))).text, /hello alice/);
});

test("tls: allowed hostnames and common names are lists that exclude each other (TL-04)", async (t) => {
  const trustedCaFile = pki.path("ca.pem");
  const byHost = await secured(t, {
    ...serverFiles(),
    trustedCaFile,
    allowedHostnames: ["other.example", "x.pods.example"],
  });
  assert.match((await ask(byHost.port, client("alice"))).text, /hello alice/);
  await assert.rejects(ask(byHost.port, client("server")));
  const byName = await secured(t, {
    ...serverFiles(),
    trustedCaFile,
    allowedCommonNames: ["carol", "alice"],
  });
  assert.match((await ask(byName.port, client("alice"))).text, /hello alice/);
  await assert.rejects(ask(byName.port, client("server")));
  await assert.rejects(
    TlsMaterial.load(
      { ...serverFiles(), allowedCommonNames: ["a"], allowedHostnames: ["b"] },
      logger,
    ),
    /exclude each other/,
  );
});

test("tls: versions and cipher suites by Go's names; unknown ones refused by name", async (t) => {
  const suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
  const { port } = await secured(t, {
    ...serverFiles(),
    maxVersion: "TLS1.2",
    cipherSuites: [suite],
  });
  assert.equal((await ask(port)).cipher, suite);
  await assert.rejects(ask(port, { minVersion: "TLSv1.3" }));
  const bad = (options: Partial<TlsOptions>): Promise<unknown> =>
    TlsMaterial.load({ ...serverFiles(), ...options }, logger);
  await assert.rejects(
    bad({ cipherSuites: ["TLS_RSA_WITH_RC4_128_SHA"] }),
    /TLS_RSA_WITH_RC4_128_SHA/,
  );
  await assert.rejects(bad({ minVersion: "TLS1.1" }), /--tls-min-version: unexpected .*"TLS1.1"/);
  await assert.rejects(bad({ minVersion: "TLS1.3", maxVersion: "TLS1.2" }), /must not be above/);
  await assert.rejects(
    bad({ certFile: pki.path("absent.pem") }),
    /absent\.pem cannot be read: ENOENT/,
  );
  await assert.rejects(
    bad({ keyFile: pki.path("alice.key") }),
    /server\.pem with key .*alice\.key/,
  );
});

test("tls: https without material is refused at the start (TL-06)", async () => {
  await assert.rejects(
    listen({ urls: ["https://127.0.0.1:0"], gate: new ConnectionGate(9), logger }),
    /needs --cert-file and --key-file/,
  );
});

test("tls: a refused connection → one line with the address and OpenSSL's reason, trimmed (TL-06)", async (t) => {
  const trustedCaFile = pki.path("ca.pem");
  const { port } = await secured(t, { ...serverFiles(), trustedCaFile, clientCertAuth: true });
  const from = logged.length;
  await assert.rejects(ask(port));
  const plain = connectSocket({ port, host: "127.0.0.1" });
  plain.on("error", () => {});
  plain.end("GET / HTTP/1.1\r\n\r\n");
  plain.resume();
  await once(plain, "close");
  const cut = connectSocket({ port, host: "127.0.0.1" });
  cut.on("error", () => {});
  // The beginning of a ClientHello.
  cut.end(Buffer.from([22, 3, 1, 2, 0, 1, 0]));
  cut.resume();
  await once(cut, "close");
  const lines = logged
    .slice(from)
    .map((line) => JSON.parse(line.replace("rejected connection ", "")));
  assert.equal(lines.length, 3);
  for (const line of lines as { "remote-addr"?: string; error: string }[]) {
    assert.equal(line["remote-addr"], "127.0.0.1", JSON.stringify(line));
    assert.equal(line.error, line.error.trim());
    assert.ok(line.error.length > 0);
  }
});

test("tls: a client that does not finish its handshake is closed (FR-12)", async (t) => {
  const { port } = await secured(t, serverFiles(), { handshakeTimeoutMs: 50 });
  const silent = connectSocket({ port, host: "127.0.0.1" });
  silent.resume();
  await once(silent, "close");
  const half = connectSocket({ port, host: "127.0.0.1" });
  half.on("error", () => {});
  half.write(Buffer.from([0x16, 3, 1, 2]));
  half.resume();
  await once(half, "close");
  assert.match((await ask(port)).text, /hello/);
});

test("self-signed: good for its names, with openssl and node:tls, and kept over restarts (TL-05)", async (t) => {
  const directory = pki.path("fixtures");
  const hosts = ["localhost", "127.0.0.1", "::1", "fe80::1:2"];
  const options = { hosts, validYears: 3, now: new Date() };
  const files = await keepSelfSigned(directory, options);
  const certificate = new X509Certificate(readFileSync(files.certFile));
  assert.equal(certificate.verify(certificate.publicKey), true);
  for (const host of hosts.slice(1)) assert.ok(certificate.checkIP(host), host);
  assert.equal(certificate.checkHost("localhost"), "localhost");
  assert.equal(certificate.checkHost("other"), undefined);
  const days = (Date.parse(certificate.validTo) - options.now.getTime()) / 86_400_000;
  assert.ok(days > 1094 && days < 1097, `${days}`);
  const text = execFileSync("openssl", [
    "x509",
    "-in",
    files.certFile,
    "-noout",
    "-text",
  ]).toString();
  assert.match(text, /ecdsa-with-SHA256/);
  assert.match(text, /IP Address:127\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1/);
  assert.match(text, /TLS Web Server Authentication, TLS Web Client Authentication/);
  execFileSync("openssl", ["verify", "-x509_strict", "-CAfile", files.certFile, files.certFile]);

  const again = await keepSelfSigned(directory, options);
  assert.equal(
    new X509Certificate(readFileSync(again.certFile)).fingerprint256,
    certificate.fingerprint256,
  );
  const { port } = await secured(t, files);
  const seen = await ask(port, { ca: readFileSync(files.certFile), servername: "localhost" });
  assert.equal(seen.certificate?.fingerprint256, certificate.fingerprint256);
});

test("self-signed: valid beyond 2049 → GeneralizedTime, still read by others (TL-05)", () => {
  const { cert } = makeSelfSigned({ hosts: ["a"], validYears: 100, now: new Date() });
  assert.equal(
    new Date(new X509Certificate(cert).validTo).getUTCFullYear(),
    new Date().getUTCFullYear() + 100,
  );
});
