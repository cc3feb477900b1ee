/**
 * `holdfast ctl` beside Debian's etcdctl 3.4 on the same data: what they print, in every format,
 * and how they exit must be the same, apart from the rows of DIFFERENCES.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ctl, CtlRun, type CtlResult } from "../harness/ctl.ts";
import {
  Background,
  type CommandResult,
  etcdctl,
  hasEtcd,
  run,
  type Server,
  start,
  startAs34,
} from "../harness/process.ts";

const skip = hasEtcd() ? false : "etcd and etcdctl are not installed";
const FORMATS = ["simple", "json", "fields", "protobuf", "table"];
const AS_34 = "--compat=3.4";

/** Read by both. */
let shared: Server;
/** Written to by one each, with the same history. */
let theirs: Server;
let ours: Server;

/** Lines of the client's log, which say the same in other words, and what differs by nature. */
function mask(text: string): string {
  return (
    text
      .replace(/^\{"level":.*\n/gm, "")
      .replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.\d+ [WC] \| .*\n/gm, "")
      .replace(/"(cluster_id|member_id|raft_term)":\d+/g, '"$1":N')
      .replace(/"(ClusterID|MemberID|RaftTerm)" : \d+/g, '"$1" : N')
      .replace(/remaining\(\d+s\)/g, "remaining(N)")
      .replace(/"ttl":\d+/g, '"ttl":N')
      // etcd's own members send none when they end a watch.
      .replace(/"revision":\d+,("raft_term":N},"Events":\[\])/g, "$1")
      .replace(/"TTL" : \d+\n"GrantedTTL"/g, '"TTL" : N\n"GrantedTTL"')
  );
}

/**
 * etcdctl 3.4 says errors of its command line twice, the second time after the whole help, which it
 * prints on stdout.
 */
function lessUsage(result: CommandResult): CommandResult {
  const match = /^(Error: [^\n]*\n)(?:Run 'etcdctl --help' for usage.)?\n(?:\n)?\1$/.exec(
    result.stderr,
  );
  if (match === null) return result;
  return { code: result.code, stdout: "", stderr: match[1] as string };
}

function lessHint(result: CtlResult): CtlResult {
  const stderr = result.stderr.replace(/(?:^Usage:\n {2}.*\n)?^Run 'etcdctl.*\n/m, "");
  return { ...result, stderr };
}

interface Case {
  readonly args: readonly string[];
  readonly input?: string;
}

function c(...args: string[]): Case {
  return { args };
}

function same(theirResult: CommandResult, ourResult: CtlResult, what: string): void {
  const their = lessUsage(theirResult);
  const our = lessHint(ourResult);
  assert.deepEqual(
    { code: our.code, stdout: mask(our.stdout), stderr: mask(our.stderr) },
    { code: their.code, stdout: mask(their.stdout), stderr: mask(their.stderr) },
    what,
  );
}

async function bothRead(one: Case): Promise<CtlResult> {
  const options = one.input === undefined ? {} : { input: one.input };
  const [their, our] = await Promise.all([
    etcdctl(shared, one.args, options),
    ctl([AS_34, "--endpoints", shared.address, ...one.args], options),
  ]);
  same(their, our, one.args.join(" "));
  return our;
}

async function bothWrite(one: Case): Promise<CtlResult> {
  const options = one.input === undefined ? {} : { input: one.input };
  const [their, our] = await Promise.all([
    etcdctl(theirs, one.args, options),
    ctl([AS_34, "--endpoints", ours.address, ...one.args], options),
  ]);
  same(their, our, one.args.join(" "));
  return our;
}

async function inAllFormats(cases: readonly Case[], formats = FORMATS): Promise<void> {
  for (const one of cases) {
    await Promise.all(
      formats.map((format) => bothRead({ ...one, args: [...one.args, "-w", format] })),
    );
  }
}

/** Keys and values that printers may stumble over. */
const DATA: readonly (readonly string[])[] = [
  ["a", "1"],
  ["a", "2"],
  ["b", "<&>\"'\\ \u2028\u2029"],
  ["c/1", "line one\nline two\ttab"],
  ["c/2", "größer 日本 \u{1f600} \u0001\u007f\u0080\ufeff"],
  ["c/3", ""],
  ["d", '{"json":true}'],
];

async function fill(server: Server): Promise<void> {
  for (const [key, value] of DATA) {
    const done = await etcdctl(server, ["put", key as string], { input: value || "x" });
    assert.equal(done.code, 0, done.stderr);
  }
  const binary = "ff00fe8041c3a9c328".replace(/../g, "\\x$&");
  const input = `\n\nput "bin\\xff\\x00" "${binary}"\n\n`;
  const done = await etcdctl(server, ["txn"], { input });
  assert.equal(done.code, 0, done.stderr);
}

describe("CT etcdctl 3.4 and ours print the same", { skip, concurrency: false }, () => {
  before(async () => {
    [shared, theirs, ours] = await Promise.all([startAs34(), startAs34(), startAs34()]);
    await Promise.all([shared, theirs, ours].map(fill));
  });
  after(async () => {
    await Promise.all([shared, theirs, ours].map((server) => server?.dispose()));
  });

  test("CT-01 get: every flag, in every format", async () => {
    await inAllFormats([
      c("get", "a"),
      c("get", "nothing"),
      c("get", "", "--prefix"),
      c("get", "c/", "--prefix", "--keys-only"),
      c("get", "--prefix", "c/", "--limit=1", "--order=DESCEND"),
      c("get", "a", "c", "--hex"),
    ]);
    const orders = ["CREATE", "KEY", "MODIFY", "VALUE", "VERSION"].flatMap((by) => [
      c("get", "", "--from-key", "--sort-by", by),
      c("get", "", "--prefix", `--sort-by=${by.toLowerCase()}`, "--order", "descend", "-w", "json"),
    ]);
    for (const one of [
      ...orders,
      c("get", "b", "--from-key"),
      c("get", "a", "--rev=2"),
      c("get", "a", "--rev", "-3"),
      c("get", "a", "--consistency=s", "--print-value-only"),
      c("get", "a", "b", "c"),
      c("get", "a", "--limit", "0x10"),
    ]) {
      await bothRead(one);
    }
  });

  test("CT-01 get: what is wrong → the same words and exit codes", async () => {
    for (const one of [
      c("get"),
      c("get", "a", "--rev=999999"),
      c("get", "a", "--order=x"),
      c("get", "a", "--sort-by", "x"),
      c("get", "a", "--consistency=x"),
      c("get", "a", "--prefix", "--from-key"),
      c("get", "a", "b", "--prefix"),
      c("get", "a", "--print-value-only", "-w", "json"),
      c("get", "a", "-w", "xml"),
      c("get", "a", "--unknown"),
      c("get", "a", "-z"),
      c("get", "a", "--rev"),
      c("get", "a", "--rev", "x"),
      c("get", "a", "--limit=99999999999999999999"),
      c("get", "a", "--prefix=maybe"),
      c("get", "-w"),
      c("get", "a", "--command-timeout", "5"),
      c("get", "a", "--command-timeout", "5y"),
      c("get", "a", "--=x"),
      c("nothing"),
    ]) {
      await bothRead(one);
    }
  });

  test("CT-02 CT-03 put and del: flags and formats", async () => {
    for (const format of ["simple", "json", "fields"]) {
      for (const one of [
        c("put", "p", "1"),
        c("put", "p", "2", "--prev-kv"),
        { args: ["put", "p"], input: "from stdin\n" },
        c("put", "p", "--ignore-value", "--prev-kv"),
        c("put", "--", "--p", "-v"),
        c("put", "p", "3", "--ignore-lease"),
        c("del", "p", "--prev-kv"),
        c("del", "p"),
        c("put", "p1", "x"),
        c("put", "p2", ""),
        c("del", "p", "q", "--prev-kv", "--hex"),
        c("del", "--prefix", "--", "--"),
        c("put", "zz", "x"),
        c("del", "zy", "--from-key"),
      ]) {
        await bothWrite({ ...one, args: ["-w", format, ...one.args] });
      }
    }
    for (const one of [
      c("put"),
      c("put", "p"),
      c("put", "p", "x", "--ignore-value"),
      c("put", "p", "x", "--lease=zz"),
      c("put", "p", "x", "--lease=123"),
      c("put", "nothing", "--ignore-value"),
      c("put", "", "x"),
      c("put", "p", "x", "-w", "table"),
      c("del"),
      c("del", "a", "b", "c"),
      c("del", "a", "--prefix", "--from-key"),
      c("del", "a", "b", "--prefix"),
    ]) {
      await bothWrite(one);
    }
  });

  test("CT-04 txn: compares and operations, typed and read", async () => {
    const txns: readonly string[] = [
      'mod("a") > "0"\nver("a") = "2"\ncreate("a") < "99"\nvalue("a") = "2"\n\nget a\nget c/ --prefix\n\n\n',
      'm("a") != "0"\nversion("a") < "1"\n\nput x 1\n\nput k \'it is\'\nput k2 "a\\x41\\n\\u00e9\\377"\nget k2\n\n',
      'val("bin\\xff\\x00") > "a"\n\ndel k --prev-kv\ndel k --prefix --prev-kv\nget k\n\n\n',
      "\n\n\n",
      '\nput p2 "x y" --prev-kv\nget nothing\n\n\n',
    ];
    for (const input of txns) {
      for (const format of ["simple", "json", "fields"]) {
        await bothWrite({ args: ["txn", "-w", format], input });
      }
    }
    await bothWrite({ args: ["txn", "-i"], input: txns[0] as string });
    for (const input of [
      "",
      "garbage\n",
      'mod("a")\n',
      'mod(a) > "0"\n',
      'mod("a" > "0"\n',
      'mod("a")>"0"\n',
      'foo("a") > "0"\n',
      'mod("a") > "x"\n',
      'mod("\\q") > "0"\n',
      'mod("a") > 0\n',
      "\nget\n",
      "\nfoo a\n",
      "\nput k\n\n",
      "\nget a\n",
      "\nget a b --prefix\n",
      "\nget a --order=bad\n",
      "\nput k v --lease=zz\n",
      '\nput "\\q" v\n',
      "\nput k 1\nput k 2\n\n\n",
    ]) {
      await bothWrite({ args: ["txn"], input });
    }
    await bothWrite(c("txn", "x"));
  });

  test("CT-06 CT-07 CT-08 CT-09 CT-10 lease: its life, in every format", async () => {
    const granted = await etcdctl(shared, ["lease", "grant", "7000"]);
    const id = /[0-9a-f]{16}/.exec(granted.stdout)?.[0] as string;
    await etcdctl(shared, ["put", "leased", "x", `--lease=${id}`]);
    await etcdctl(shared, ["put", "leased too", "x", `--lease=${id}`]);
    await inAllFormats([
      c("lease", "list"),
      c("lease", "timetolive", id),
      c("lease", "timetolive", id, "--keys"),
      c("lease", "timetolive", "123"),
      c("lease", "keep-alive", "--once", id),
      c("get", "leased"),
    ]);
    for (const one of [
      c("lease", "grant"),
      c("lease", "grant", "x"),
      c("lease", "grant", "1", "2"),
      c("lease", "revoke"),
      c("lease", "revoke", "zz"),
      c("lease", "revoke", "123"),
      c("lease", "timetolive"),
      c("lease", "timetolive", "-1"),
      c("lease", "keep-alive"),
      c("lease", "keep-alive", "x y"),
      c("lease", "keep-alive", "--once", "123"),
      c("lease", "keep-alive", "123"),
      c("lease", "keep-alive", "123", "-w", "json"),
    ]) {
      await bothRead(one);
    }
    for (const format of ["simple", "json", "fields", "table"]) {
      const [their, our] = await Promise.all([
        etcdctl(shared, ["lease", "grant", "100", "-w", format]),
        ctl([AS_34, "--endpoints", shared.address, "lease", "grant", "100", "-w", format]),
      ]);
      const idless = (text: string): string =>
        text.replace(/[0-9a-f]{16}|("ID" ?: ?)\d+/g, "$1ID").replace(/"ID":\d+/, '"ID":ID');
      same(
        { ...their, stdout: idless(their.stdout) },
        { ...our, stdout: idless(our.stdout) },
        `lease grant -w ${format}`,
      );
    }
    for (const format of ["simple", "json", "fields"]) {
      const leases = await Promise.all(
        [theirs, ours].map(async (server) => {
          const done = await etcdctl(server, ["lease", "grant", "100"]);
          return /[0-9a-f]{16}/.exec(done.stdout)?.[0] as string;
        }),
      );
      const [their, our] = await Promise.all([
        etcdctl(theirs, ["lease", "revoke", leases[0] as string, "-w", format]),
        ctl([
          AS_34,
          "--endpoints",
          ours.address,
          "lease",
          "revoke",
          leases[1] as string,
          "-w",
          format,
        ]),
      ]);
      const idless = (text: string): string => mask(text).replace(/[0-9a-f]{16}/g, "ID");
      same(
        { ...their, stdout: idless(their.stdout) },
        { ...our, stdout: idless(our.stdout) },
        `lease revoke -w ${format}`,
      );
    }
  });

  test("CT-11 compaction: and a watch of what is gone", async () => {
    for (const one of [
      c("compaction", "x"),
      c("compaction"),
      c("compaction", "99999"),
      c("compaction", "5"),
      c("compact", "5"),
      c("compaction", "6", "--physical"),
      c("watch", "a", "--rev=2"),
      c("watch", "a", "--rev=2", "-w", "json"),
      c("get", "a", "--rev=2"),
    ]) {
      await bothWrite(one);
    }
  });

  test("CT-05 watch: what is wrong → the same words and exit codes", async () => {
    for (const one of [
      c("watch"),
      c("watch", "--"),
      c("watch", "a", "--"),
      c("watch", "a", "b", "--prefix"),
      c("watch", "a", "--rev=x"),
    ]) {
      await bothRead(one);
    }
    for (const [env, args] of [
      [{ ETCDCTL_WATCH_KEY: "a" }, ["watch", "b"]],
      [{ ETCDCTL_WATCH_KEY: "a" }, ["watch", "b", "--", "true"]],
      [{ ETCDCTL_WATCH_RANGE_END: "a" }, ["watch", "b"]],
    ] as const) {
      const [their, our] = await Promise.all([
        run("etcdctl", ["--endpoints", shared.address, ...args], { env }),
        ctl([AS_34, "--endpoints", shared.address, ...args], { env }),
      ]);
      same(their, our, `${JSON.stringify(env)} ${args.join(" ")}`);
    }
  });

  /** Runs a command that goes on at both, until each has shown `wanted`; then ends it. */
  async function onGoing(
    args: readonly string[],
    wanted: (stdout: string) => boolean,
    meanwhile: () => Promise<void>,
    env: Record<string, string> = {},
  ): Promise<{ their: string; our: string }> {
    const their = new Background("etcdctl", ["--endpoints", shared.address, ...args], env);
    const our = new CtlRun([AS_34, "--endpoints", shared.address, ...args], { env });
    await meanwhile();
    await Promise.all([their.until(wanted), our.until(wanted)]);
    our.interrupt();
    await Promise.all([their.end("SIGKILL"), our.ended]);
    return { their: mask(their.stdout), our: mask(our.stdout) };
  }

  async function revision(): Promise<number> {
    const { stdout } = await ctl(["--endpoints", shared.address, "get", "a", "-w", "json"]);
    return Number(/"revision":(\d+)/.exec(stdout)?.[1]);
  }

  test("CT-05 watch: events, earlier pairs and programs, in every format", async () => {
    const first = (await revision()) + 1;
    const txn = '\nput w/1 "two words"\nput w/2 2\ndel w/0\n\n\n';
    await etcdctl(shared, ["put", "w/0", "\u0001<"]);
    await etcdctl(shared, ["put", "w/1", "1"]);
    assert.equal((await etcdctl(shared, ["txn"], { input: txn })).code, 0);
    const last = await revision();
    const nothing = async (): Promise<void> => undefined;
    const jobs = [
      ...["simple", "json", "fields", "protobuf"].map((format) => [
        ["watch", "w/", "--prefix", `--rev=${first}`, "--prev-kv", "-w", format],
        /w\/0|dy8w/,
      ]),
      [["watch", "w/0", "w/2", `--rev=${first}`, "--hex"], /x77/],
      [["watch", "w/1", `--rev=${first}`, "--", "printenv", "ETCD_WATCH_VALUE"], /two words"/],
    ] as [string[], RegExp][];
    for (const [args, mark] of jobs) {
      const { their, our } = await onGoing(
        args,
        (stdout) => mark.test(stdout.slice(-400)) && stdout.length > 10,
        nothing,
      );
      assert.equal(our.slice(0, their.length), their.slice(0, our.length), args.join(" "));
      assert.ok(our.length > 10 && their.length > 10, args.join(" "));
    }
    assert.equal(last, first + 2);
  });

  test("CT-05 watch: a program that fails → its error, exit code 1", async () => {
    const at = (await revision()) + 1;
    await etcdctl(shared, ["put", "fails", "x"]);
    for (const program of [["false"], ["sh", "-c", "exit 3"], ["no-such-program"], ["./none"]]) {
      await bothRead(c("watch", "fails", `--rev=${at}`, "--", ...program));
    }
  });

  test("CT-05 watch -i: lines that are read, and their errors", async () => {
    for (const input of ["", "foo\n", "\n", "watch\n", "watch --\n", "watch --foo a\n"]) {
      const [their, our] = await Promise.all([
        etcdctl(shared, ["watch", "-i"], { input }),
        ctl([AS_34, "--endpoints", shared.address, "watch", "-i"], { input }),
      ]);
      // 3.5 and later begin with a small letter.
      const stderr = their.stderr.replace("Error: Error reading", "Error: error reading");
      same({ ...their, stderr }, our, `watch -i: ${input}`);
    }
  });

  test("CT-27 lock: the key while it is held, or a program that runs with it", async () => {
    for (const program of [
      ["true"],
      ["sh", "-c", "exit 7"],
      ["sh", "-c", "kill -TERM $$"],
      ["no-such-program"],
    ]) {
      await bothWrite(c("lock", "job", ...program));
    }
    for (const one of [c("lock"), c("lock", "job", "--ttl=x")]) await bothRead(one);
    const keyless = (text: string): string => text.replace(/held\/[0-9a-f]+/g, "held/ID");
    const their = new Background("etcdctl", ["--endpoints", theirs.address, "lock", "held"]);
    const our = new CtlRun([AS_34, "--endpoints", ours.address, "lock", "held"]);
    await Promise.all([their.until((t) => t !== ""), our.until((t) => t !== "")]);
    const theirCode = await their.end("SIGINT");
    our.interrupt();
    const result = await our.ended;
    assert.equal(result.code, theirCode);
    assert.equal(keyless(result.stdout), keyless(their.stdout));
    const left = await ctl(["--endpoints", ours.address, "get", "held", "--prefix"]);
    assert.equal(left.stdout, "");
  });

  test("CT-27 elect: the winner's key and proposal, and what listeners see", async () => {
    for (const one of [
      c("elect"),
      c("elect", "e"),
      c("elect", "e", "p", "-l"),
      c("elect", "e", "p", "q"),
    ]) {
      await bothRead(one);
    }
    const keyless = (text: string): string => text.replace(/e\/[0-9a-f]+/g, "e/ID");
    const runs = [theirs, ours].map((server) => ({
      winner: new CtlRun(["--endpoints", server.address, "elect", "e", "first"]),
      server,
    }));
    await Promise.all(runs.map(({ winner }) => winner.until((text) => text.includes("first"))));
    const their = new Background("etcdctl", ["--endpoints", theirs.address, "elect", "-l", "e"]);
    const our = new CtlRun([AS_34, "--endpoints", ours.address, "elect", "-l", "e"]);
    const isSeen = (text: string): boolean => text.includes("first\n");
    await Promise.all([their.until(isSeen), our.until(isSeen)]);
    assert.equal(keyless(our.stdout), keyless(their.stdout));
    our.interrupt();
    const theirCode = await their.end("SIGINT");
    assert.equal((await our.ended).code, theirCode);
    for (const { winner } of runs) winner.interrupt();
    for (const { winner } of runs) assert.equal((await winner.ended).code, 0);
  });

  test("CT-30 version: the version wanted", async () => {
    await inAllFormats([c("version")], ["simple", "json"]);
  });

  test("CT globals: the environment → the same settings, refusals and warnings", async () => {
    const endpoint = { ETCDCTL_ENDPOINTS: shared.address };
    for (const [env, args] of [
      [endpoint, ["get", "a"]],
      [{ ...endpoint, ETCDCTL_WRITE_OUT: "json", ETCDCTL_HEX: "true" }, ["get", "a"]],
      [{ ...endpoint, ETCDCTL_WRITE_OUT: "xml" }, ["get", "a"]],
      [{ ...endpoint, ETCDCTL_COMMAND_TIMEOUT: "soon" }, ["get", "a"]],
      [{ ...endpoint, ETCDCTL_NONSENSE: "1" }, ["get", "a"]],
      [endpoint, ["--endpoints", "127.0.0.1:1", "get", "a"]],
      [{ ETCDCTL_API: "4" }, ["get", "a"]],
      [endpoint, ["get", "a", "--cert="]],
      [endpoint, ["get", "a", "--cacert=/no/such/file"]],
      [endpoint, ["get", "a", "--cert=/no/such/file"]],
    ] as const) {
      const all = { ETCDCTL_API: "3", ...env };
      const [their, our] = await Promise.all([
        run("etcdctl", args, { env: all }),
        ctl([AS_34, ...args], { env: all }),
      ]);
      same(their, our, `${JSON.stringify(env)} ${args.join(" ")}`);
    }
  });

  test("CT nobody there: the deadline's words and exit codes", async () => {
    const nowhere = ["--endpoints=127.0.0.1:1", "--command-timeout=300ms"];
    for (const args of [
      ["get", "a"],
      ["put", "a", "b"],
      ["del", "a"],
      ["lease", "grant", "10"],
      ["compaction", "1"],
    ]) {
      const [their, our] = await Promise.all([
        run("etcdctl", [...nowhere, ...args], { env: { ETCDCTL_API: "3" } }),
        ctl([AS_34, ...nowhere, ...args]),
      ]);
      same(their, our, args.join(" "));
    }
  });

  test("CT-01 get --stream: a server without RangeStream → said so", async () => {
    const etcd = await start("etcd");
    try {
      const { code, stderr } = await ctl(["--endpoints", etcd.address, "get", "a", "--stream"]);
      assert.equal(code, 1);
      assert.match(stderr, /^Error: the server has no RangeStream, .*leave --stream out\n$/);
      const plain = await ctl(["--endpoints", etcd.address, "put", "a", "1"]);
      assert.deepEqual(plain, { code: 0, stdout: "OK\n", stderr: "" });
    } finally {
      await etcd.dispose();
    }
  });
});
