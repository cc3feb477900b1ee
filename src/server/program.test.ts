/** The program from outside: as a process, over its sockets, by its output and exit codes. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import * as http2 from "node:http2";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const MAIN = join(dirname(fileURLToPath(import.meta.url)), "main.ts");
const ANY_PEER_PORT = ["--listen-peer-urls", "http://127.0.0.1:0"];
const ANY_PORT = ["--listen-client-urls", "http://127.0.0.1:0", ...ANY_PEER_PORT];
const ADVERTISED = ["--advertise-client-urls", "http://127.0.0.1:2379"];

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-server-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly address?: string;
  readonly error?: string;
}

class Program {
  readonly child: ChildProcess;
  output = "";
  readonly #exited: Promise<[number | null, NodeJS.Signals | null]>;

  constructor(t: TestContext, parts: readonly string[], options: Start = {}) {
    const [program, ...before] = options.command ?? [process.execPath, MAIN];
    this.child = spawn(program as string, [...before, ...parts], {
      cwd: options.cwd,
      env: { PATH: process.env["PATH"], ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    t.after(() => void this.child.kill("SIGKILL"));
    const keep = (chunk: Buffer): void => void (this.output += chunk.toString());
    this.child.stdout?.on("data", keep);
    this.child.stderr?.on("data", keep);
    this.#exited = once(this.child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  }

  async exit(): Promise<number | NodeJS.Signals | null> {
    const [code, signal] = await this.#exited;
    return signal ?? code;
  }

  get lines(): Line[] {
    return this.output
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Line);
  }

  /** Resolves when a log line has this message. */
  async line(msg: string): Promise<Line> {
    for (;;) {
      const found = this.lines.find((line) => line.msg === msg);
      if (found !== undefined) return found;
      const more = Promise.race([
        once(this.child.stderr as NodeJS.ReadableStream, "data"),
        this.#exited.then(() => Promise.reject(new Error(`ended:\n${this.output}`))),
      ]);
      await more;
    }
  }

  async url(): Promise<string> {
    const found = await this.line("serving client traffic insecurely");
    return found.address as string;
  }
}

interface Start {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly command?: readonly string[];
}

function start(t: TestContext, directory: string, more: readonly string[] = [], options?: Start) {
  const data = ["--data-dir", join(directory, "data")];
  return new Program(t, [...data, ...ANY_PORT, ...ADVERTISED, ...more], options);
}

/** Exit code and why: the error in the last line of the log, or the line that stands for it. */
async function failing(program: Program): Promise<[number | NodeJS.Signals | null, string]> {
  const code = await program.exit();
  const last = program.output.trimEnd().split("\n").at(-1) ?? "";
  const reason = last.startsWith("{") ? (JSON.parse(last) as Line).error : undefined;
  return [code, reason ?? last];
}

test("program: --version → the compatible version first, by --compat", async (t) => {
  const wanted = { "3.4": "3.4.23", "3.5": "3.5.26", "3.6": "3.6.11", "3.7": "3.7.1" };
  for (const [compat, version] of Object.entries(wanted)) {
    const program = new Program(t, ["--compat", compat, "--version"]);
    assert.equal(await program.exit(), 0);
    assert.equal(program.output.split("\n")[0], `etcd Version: ${version}`);
    assert.match(program.output, /\nGit SHA: .*\nGo Version: .*\nGo OS\/Arch: /);
  }
});

test("program: --help → every flag with its default, exit 0", async (t) => {
  const program = new Program(t, ["-h"]);
  assert.equal(await program.exit(), 0);
  assert.match(program.output, /^ {2}--data-dir '\$\{name\}\.etcd'$/m);
  assert.match(program.output, /^ {2}--memory-mlock 'false'\n.*not available/m);
});

test("program: mistakes on the command line → exit 2 with usage; bad values → exit 1, one line", async (t) => {
  const unknown = new Program(t, ["--bogus"]);
  assert.equal(await unknown.exit(), 2);
  assert.match(unknown.output, /^holdfast: flag provided but not defined: -bogus\n\nUsage:/);
  const both = new Program(t, ["--name", "a"], { env: { ETCD_NAME: "b" } });
  assert.equal(await both.exit(), 1);
  assert.match(both.output, /^holdfast: conflicting environment variable "ETCD_NAME" .*\n$/);
  const absent = new Program(t, ["--memory-mlock"]);
  assert.equal(await absent.exit(), 1);
  assert.match(absent.output, /^holdfast: flag --memory-mlock of etcd is not available.*\n$/);
});

test("program: serves, tells so in the lines that tools wait for, ends with 0 at SIGTERM (FR-13)", async (t) => {
  const directory = temporary(t);
  for (const compat of ["3.4", "3.7"]) {
    const program = start(t, directory, ["--compat", compat]);
    const url = await program.url();
    await program.line("enabled capabilities for version");
    const messages = program.lines.map((line) => line.msg);
    assert.ok(messages.includes("published local member to cluster through raft"));
    assert.ok(messages.includes("ready to serve client requests"));
    const version = (await (await fetch(`${url}/version`)).json()) as Record<string, string>;
    assert.match(version["etcdserver"] ?? "", new RegExp(`^${compat}\\.`));
    program.child.kill("SIGTERM");
    assert.equal(await program.exit(), 0, program.output);
  }
});

test("program: open connections and streams do not delay the stop beyond 5 s (FR-13)", async (t) => {
  const program = start(t, temporary(t));
  const url = await program.url();
  const session = http2.connect(url);
  session.on("error", () => {});
  const watch = session.request({
    ":method": "POST",
    ":path": "/etcdserverpb.Watch/Watch",
    "content-type": "application/grpc",
    te: "trailers",
  });
  watch.on("error", () => {});
  // A WatchRequest that creates a watch of key "k".
  watch.write(Buffer.from([0, 0, 0, 0, 5, 0x0a, 3, 0x0a, 1, 0x6b]));
  await once(watch, "data");
  await (await fetch(`${url}/health`)).text();
  const began = performance.now();
  program.child.kill("SIGINT");
  assert.equal(await program.exit(), 0, program.output);
  assert.ok(performance.now() - began < 5000);
  session.destroy();
});

test("program: a second signal ends a stop that takes its time", async (t) => {
  const program = start(t, temporary(t));
  const session = http2.connect(await program.url());
  session.on("error", () => {});
  // A stream of keepalives that is never ended holds the drain up.
  const open = session.request({
    ":method": "POST",
    ":path": "/etcdserverpb.Lease/LeaseKeepAlive",
    "content-type": "application/grpc",
    te: "trailers",
  });
  open.on("error", () => {});
  open.write(Buffer.from([0, 0, 0, 0, 2, 8, 1]));
  await once(open, "data");
  program.child.kill("SIGTERM");
  await program.line("received signal; shutting down");
  program.child.kill("SIGTERM");
  assert.equal(await program.exit(), "SIGTERM");
  session.destroy();
});

test("program: a failed start is one line: of the log, or plain where the log does not go", async (t) => {
  const directory = temporary(t);
  const bad = ["--data-dir", MAIN, "--log-level", "error"];
  const logged = new Program(t, bad);
  assert.equal(await logged.exit(), 1);
  assert.match(logged.output, /^\{"level":"error",.*"error":"data directory .*"\}\n$/);
  const file = join(directory, "log");
  const apart = new Program(t, [...bad, "--log-outputs", file]);
  assert.equal(await apart.exit(), 1);
  assert.match(apart.output, /^holdfast: data directory .*\n$/);
  assert.match(readFileSync(file, "utf8"), /^\{"level":"error",.*\}\n$/);
  const shown = join(directory, "shown");
  const command = ["script", "-qec", `${process.execPath} ${MAIN} ${bad.join(" ")}`, shown];
  if (spawnSync("script", ["--version"]).status !== 0) return;
  const terminal = new Program(t, [], { command });
  assert.equal(await terminal.exit(), 1);
  assert.match(terminal.output, /^holdfast: data directory .*\r\n$/);
});

test("program: port 0 → the real port is advertised", async (t) => {
  const program = start(t, temporary(t), ["--advertise-client-urls", "http://127.0.0.1:0"]);
  const url = await program.url();
  assert.match(program.output, new RegExp(`ClientURLs:\\[${url}\\]`));
});

test("program: systemd is told when it asked for it", async (t) => {
  const directory = temporary(t);
  const told = join(directory, "told");
  const helper = `#!/bin/sh\necho "$NOTIFY_SOCKET $*" > ${told}.tmp && mv ${told}.tmp ${told}\n`;
  writeFileSync(join(directory, "systemd-notify"), helper, { mode: 0o755 });
  const watching = watch(directory);
  t.after(() => watching.close());
  const env = { NOTIFY_SOCKET: "/run/n", PATH: `${directory}:${process.env["PATH"]}` };
  const program = start(t, directory, [], { env });
  await program.line("ready to serve client requests");
  while (!existsSync(told)) await once(watching, "change");
  assert.equal(readFileSync(told, "utf8"), "/run/n READY=1\n");
});

test("program: SIGHUP keeps its default action", async (t) => {
  const program = start(t, temporary(t));
  await program.url();
  program.child.kill("SIGHUP");
  assert.equal(await program.exit(), "SIGHUP");
});

test("program: kill -9 → the next start takes the directory and has the data", async (t) => {
  const directory = temporary(t);
  const first = start(t, directory);
  await first.url();
  first.child.kill("SIGKILL");
  assert.equal(await first.exit(), "SIGKILL");
  const second = start(t, directory);
  assert.equal((await fetch(`${await second.url()}/health`)).status, 200);
});

test("program: a data directory in use → one line with the other's pid, exit 1", async (t) => {
  const directory = temporary(t);
  const first = start(t, directory);
  await first.url();
  const [code, line] = await failing(start(t, directory));
  assert.equal(code, 1);
  assert.match(line, new RegExp(`^data directory .* in use by process ${first.child.pid}:`));
});

test("program: a port in use → one line with the URL, exit 1, nothing founded", async (t) => {
  const first = start(t, temporary(t));
  const url = await first.url();
  const directory = temporary(t);
  const data = ["--data-dir", join(directory, "data"), ...ANY_PEER_PORT];
  const more = ["--listen-client-urls", url, ...ADVERTISED, ...data];
  const [code, line] = await failing(new Program(t, more));
  assert.equal(code, 1);
  assert.match(line, new RegExp(`^cannot listen on ${url}: .* in use by another process$`));
  assert.equal(existsSync(join(directory, "data", "member")), false);
});

test("program: a newer data version, a file in the way, no directory to write → one line, exit 1", async (t) => {
  const directory = temporary(t);
  const newer = join(directory, "data");
  mkdirSync(join(newer, "member"), { recursive: true });
  writeFileSync(join(newer, "member", "format"), "holdfast 99\n");
  const [newerCode, newerLine] = await failing(start(t, directory));
  assert.equal(newerCode, 1);
  assert.match(newerLine, /^data directory .* has format 99, this version reads up to/);
  for (const bad of ["/proc/none/data", MAIN]) {
    const [code, line] = await failing(new Program(t, ["--data-dir", bad]));
    assert.equal(code, 1);
    assert.match(
      line,
      new RegExp(`^data directory ${bad} cannot be made: E[A-Z]+; .+ --data-dir$`),
    );
  }
});

test("program: a full disk → one line that says so, exit 1", async (t) => {
  const directory = temporary(t);
  const mount = `mount -t tmpfs -o size=64k tmpfs ${directory}`;
  if (spawnSync("unshare", ["-rm", "sh", "-c", mount]).status !== 0) {
    return t.skip("small file systems cannot be mounted here");
  }
  const script = `${mount} && exec "$@"`;
  const command = ["unshare", "-rm", "sh", "-c", script, "sh", process.execPath, MAIN];
  const [code, line] = await failing(start(t, directory, [], { command }));
  assert.equal(code, 1);
  assert.match(line, /^.*(No space left on device|ENOSPC)/);
});

test("program: auto-tls, http and https on several URLs, the certificate kept (TL-05 FR-11)", async (t) => {
  const directory = temporary(t);
  const data = join(directory, "data");
  const parts = ["--data-dir", data, ...ADVERTISED, ...ANY_PEER_PORT, "--auto-tls"];
  const urls = "https://127.0.0.1:0,http://127.0.0.1:0";
  const program = new Program(t, [...parts, "--listen-client-urls", urls]);
  const plain = await program.url();
  const secure = (await program.line("serving client traffic securely")).address as string;
  const cert = join(data, "fixtures", "client", "cert.pem");
  const { stdout } = await run("curl", ["-s", "--cacert", cert, `${secure}/health`]);
  assert.equal(stdout, '{"health":"true","reason":""}');
  assert.equal((await fetch(`${plain}/health`)).status, 200);
  const h2 = ["-s", "--http2", "--cacert", cert, "-w", " %{http_version}", `${secure}/health`];
  assert.match((await run("curl", h2)).stdout, /^\{"health":"true","reason":""\} 2$/);
});

test("program: a unix socket named host:port, in the current directory", async (t) => {
  const directory = temporary(t);
  const listen = [
    ...ANY_PEER_PORT,
    "--listen-client-urls",
    "unix://member:1",
    "--advertise-client-urls",
    "unix://member:1",
  ];
  const program = new Program(t, ["--data-dir", "data", ...listen], { cwd: directory });
  await program.line("ready to serve client requests");
  const socket = join(directory, "member:1");
  const { stdout } = await run("curl", ["-s", "--unix-socket", socket, "http://x/health"]);
  assert.equal(stdout, '{"health":"true","reason":""}');
  assert.deepEqual(readdirSync(directory).sort(), ["data", "member:1"]);
});

test("program: metrics URLs serve metrics and health alone; HTTP URLs leave gRPC to the others (HT-11 FR-11)", async (t) => {
  const directory = temporary(t);
  const metrics = `unix://${join(directory, "m")}`;
  const http = `unix://${join(directory, "h")}`;
  const more = ["--listen-metrics-urls", metrics, "--listen-client-http-urls", http];
  const program = start(t, directory, more);
  const url = await program.url();
  const status = async (socket: string, path: string): Promise<string> => {
    const flags = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket"];
    return (await run("curl", [...flags, join(directory, socket), `http://x${path}`])).stdout;
  };
  for (const path of ["/metrics", "/health", "/livez", "/readyz"]) {
    assert.equal(await status("m", path), "200", path);
    assert.equal(await status("h", path), "200", path);
  }
  assert.deepEqual([await status("m", "/version"), await status("h", "/version")], ["404", "200"]);
  await assert.rejects(fetch(`${url}/version`), "the client URL is left to gRPC");
});

test("program: a configuration file replaces flags and environment, and unknown keys are told", async (t) => {
  const directory = temporary(t);
  const file = join(directory, "c.yml");
  const lines = [
    "name: filed",
    `data-dir: ${join(directory, "d")}`,
    "listen-client-urls: http://127.0.0.1:0",
    "advertise-client-urls: http://127.0.0.1:1",
    "listen-peer-urls: http://127.0.0.1:0",
    "lisen-client-urls: x",
  ];
  writeFileSync(file, lines.join("\n"));
  const env = { ETCD_NAME: "environment", ETCD_CONFIG_FILE: file };
  const program = new Program(t, ["--name", "flag"], { env });
  const url = await program.url();
  assert.equal((await fetch(`${url}/health`)).status, 200);
  assert.match(program.output, /"name":"filed"/);
  assert.match(program.output, /c\.yml:6:1: unknown key .*: lisen-client-urls/);
  const [code, line] = await failing(new Program(t, ["--config-file", join(directory, "none")]));
  assert.deepEqual([code, /--config-file .*none cannot be read: ENOENT/.test(line)], [1, true]);
});
