import assert from "node:assert/strict";
import { test } from "node:test";
import type { CtlIo } from "./io.ts";
import { Flags, parseFlags } from "./flags.ts";
import { GLOBAL_FLAGS } from "./globals.ts";
import { COMMANDS, COMMANDS_V2 } from "./registry.ts";
import { runCtl } from "./run.ts";

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(words: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  const out: string[] = [];
  const err: string[] = [];
  const io: CtlIo = {
    stdout: (data) => void out.push(Buffer.from(data).toString("utf8")),
    stderr: (text) => void err.push(text),
    env,
    isTerminal: false,
    columns: 80,
    rows: 24,
    readStdin: () => Promise.resolve(Buffer.alloc(0)),
    stdinLines: async function* () {},
    readPassword: () => Promise.resolve(""),
    onTyped: () => undefined,
    onInterrupt: () => () => undefined,
    start: () => assert.fail("nothing is to be started"),
  };
  const code = await runCtl(words, io);
  return { code, stdout: out.join(""), stderr: err.join("") };
}

test("CT help: every command → a usage, and examples that can be read", async () => {
  for (const entry of [...COMMANDS, ...COMMANDS_V2]) {
    const command = await entry.load();
    assert.ok(command.examples.length > 0, `${entry.name} has no example`);
    for (const { line } of command.examples) {
      const words = line
        .replace(/^.*?etcdctl /, "")
        .replace(/[|<].*/, "")
        .split(" ");
      const flags = new Flags([...command.flags, ...GLOBAL_FLAGS]);
      parseFlags(
        words.filter((word) => word !== ""),
        flags,
      );
      assert.match(line, /etcdctl|holdfast/, `${entry.name}: ${line}`);
    }
  }
  for (const entry of COMMANDS) {
    const { code, stdout } = await run([...entry.name.split(" "), "--help"]);
    assert.equal(code, 0);
    assert.ok(stdout.startsWith(`${entry.name} - ${entry.summary}\n\nUsage:\n`), stdout);
  }
});

test("CT help: of all, of a group, of a topic", async () => {
  const root = await run([]);
  assert.equal(root.code, 0);
  for (const { name, summary } of COMMANDS) {
    assert.ok(root.stdout.includes(name) && root.stdout.includes(summary), name);
  }
  assert.equal((await run(["--help"])).stdout, root.stdout);
  assert.match((await run(["lease"])).stdout, /lease timetolive {2}/);
  assert.deepEqual(await run(["help", "get"]), await run(["get", "--help"]));
  const options = (await run(["options"])).stdout;
  for (const { name } of GLOBAL_FLAGS) assert.ok(options.includes(`--${name}`), name);
});

test("CT names: beginnings that only one command has, and aliases → that command", async () => {
  assert.equal((await run(["ver"])).stdout, (await run(["version"])).stdout);
  assert.match((await run(["compact", "--help"])).stdout, /^compaction - /);
  assert.match((await run(["lease", "time", "--help"])).stdout, /^lease timetolive - /);
  assert.equal((await run(["e", "--help"])).code, 1);
});

test("CT names: no command → said, exit code 1", async () => {
  assert.deepEqual(await run(["nothing"]), {
    code: 1,
    stdout: "",
    stderr: 'Error: unknown command "nothing" for "etcdctl"\nRun \'etcdctl --help\' for usage.\n',
  });
});

test("CT ETCDCTL_API=2: a command that only the third API has → said clearly", async () => {
  const { code, stderr } = await run(["get", "a"], { ETCDCTL_API: "2" });
  assert.equal(code, 1);
  assert.match(stderr, /second API \(ETCDCTL_API=2 or --compat\) does not exist here/);
  assert.equal((await run(["get"], { ETCDCTL_API: "4" })).stderr, "unsupported API version 4\n");
});

test("CT environment: a variable beside its flag → both named, exit code 1", async () => {
  const words = ["--endpoints", "127.0.0.1:1", "get", "a"];
  const { code, stderr } = await run(words, { ETCDCTL_ENDPOINTS: "127.0.0.1:2" });
  assert.equal(code, 1);
  const line = JSON.parse(stderr) as Record<string, string>;
  assert.equal(line["level"], "fatal");
  assert.equal(
    line["msg"],
    "conflicting environment variable is shadowed by corresponding command-line flag " +
      "(either unset environment variable or disable flag))",
  );
  assert.equal(line["environment-variable"], "ETCDCTL_ENDPOINTS");
});

test("CT environment: a variable that means nothing → a warning, and it goes on", async () => {
  const { code, stderr } = await run(["get", "a", "-w", "xml"], { ETCDCTL_NONSENSE: "1" });
  assert.equal(code, 4);
  const [warning, error] = stderr.split("\n");
  assert.match(warning ?? "", /"level":"warn".*unrecognized.*"ETCDCTL_NONSENSE=1"/);
  assert.equal(error, "Error: unsupported output format");
});

test("CT --debug: the settings as the environment would hold them", async () => {
  const { stderr } = await run(["get", "a", "--debug", "--hex", "-w", "xml"]);
  assert.match(stderr, /^ETCDCTL_COMMAND_TIMEOUT=5s$/m);
  assert.match(stderr, /^ETCDCTL_ENDPOINTS=\[127.0.0.1:2379\]$/m);
  assert.match(stderr, /^ETCDCTL_HEX=true$/m);
});

test("CT TLS: half a key pair, files that are not there → said, exit code 128", async () => {
  assert.deepEqual(await run(["get", "a", "--cert=x"]), {
    code: 128,
    stdout: "",
    stderr: "Error: KeyFile and CertFile must both be present[key: , cert: x]\n",
  });
  const { code, stderr } = await run(["get", "a", "--cacert=/no/such"]);
  assert.deepEqual([code, stderr], [128, "Error: open /no/such: no such file or directory\n"]);
});

test("CT-31 commands that are etcdutl's since 3.6 → said where they are, exit code 1", async () => {
  const { code, stdout, stderr } = await run(["snapshot", "restore", "a.db", "--data-dir", "x"]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /"snapshot restore" works on files.*\(holdfast utl snapshot restore\)/);
  assert.match((await run(["migrate", "--data-dir=x"])).stderr, /holdfast utl migrate/);
});
