import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { imageOfView, MemoryBackend } from "../../backend/index.ts";
import { Prng } from "../../base/index.ts";
import { PAGE_BYTES, PAGE_HEADER_BYTES } from "../../snapshot/index.ts";
import { runUtl } from "../command.ts";

const RUNS =
  Number(process.env["FUZZ_RUNS"] ?? "60") / (process.env["LONG_SUITE"] === "1" ? 40 : 1);
/** bbolt's own tool, where someone has built it: go install go.etcd.io/bbolt/cmd/bbolt@v1.4.3 */
const THEIRS = process.env["BBOLT"] ?? "bbolt";
const HAS_THEIRS = spawnSync(THEIRS, ["version"]).status === 0;

async function bbolt(...args: string[]) {
  let stdout = "";
  let stderr = "";
  const code = await runUtl(["bbolt", ...args], {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
  });
  return { code, stdout, stderr };
}

/** 400 rows on several levels, one with overflow; keys that are no text; empty buckets. */
async function writeImage(path: string): Promise<void> {
  const backend = new MemoryBackend();
  for (let row = 0; row < 400; row += 1) {
    const value = Buffer.alloc(row === 5 ? 70_000 : 100, "v");
    backend.put("key", Buffer.from(`key ${row + 1000}`), value);
  }
  backend.put("lease", Buffer.from([0, 1, 255]), Buffer.from('a "lease"'));
  backend.put("lease", Buffer.from("ü\t"), Buffer.from([1, 2]));
  backend.setApplied({ index: 999, term: 44 });
  await backend.commit();
  const image = await imageOfView(backend.openReadView(), () => Promise.resolve());
  const pieces: Buffer[] = [];
  for await (const piece of image.read(0)) pieces.push(piece);
  writeFileSync(path, Buffer.concat(pieces));
}

/** As bbolt v1.4.3 printed them of this very file. */
const STATS = `Aggregate statistics for 10 buckets

Page count statistics
	Number of logical branch pages: 1
	Number of physical branch overflow pages: 0
	Number of logical leaf pages: 13
	Number of physical leaf overflow pages: 27
Tree statistics
	Number of keys/value pairs: 404
	Number of levels in B+tree: 2
Page size utilization
	Bytes allocated for physical branch pages: 4096
	Bytes actually used for branch data: 112 (2%)
	Bytes allocated for physical leaf pages: 163840
	Bytes actually used for leaf data: 119825 (73%)
Bucket statistics
	Total number of buckets: 10
	Total number on inlined buckets: 0 (0%)
	Bytes used for inlined buckets: 0 (0%)
`;
const PAGES = [
  "ID       TYPE       ITEMS  OVRFLW",
  "======== ========== ====== ======",
  "0        meta       0            ",
  "1        meta       0            ",
  "2        freelist   0            ",
  ...[3, 4, 5, 6, 7].map((id) => `${id}        leaf       0            `),
  "8        leaf       5            ",
  "9        leaf       1      17    ",
  "27       leaf       264    7     ",
  "35       leaf       130    3     ",
  "39       branch     4            ",
  "40       leaf       2            ",
  "41       leaf       0            ",
  "42       leaf       0            ",
  "43       leaf       2            ",
  "44       leaf       10           ",
  "",
].join("\n");

describe("utl bbolt", () => {
  const root = mkdtempSync(join(tmpdir(), "holdfast-bbolt-"));
  const path = join(root, "snap.db");
  let image: Buffer;
  before(async () => {
    await writeImage(path);
    image = readFileSync(path);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  /** A copy of the file with some bytes replaced. */
  function damaged(at: number, bytes: Uint8Array): string {
    const copy = Buffer.from(image);
    copy.set(bytes, at);
    const place = join(root, "damaged.db");
    writeFileSync(place, copy);
    return place;
  }

  test("UT-08 bbolt: check, info, buckets, stats, pages, keys, get → as bbolt's tool prints them", async () => {
    const printed = async (...args: string[]): Promise<string> => (await bbolt(...args)).stdout;
    assert.equal(await printed("check", path), "OK\n");
    assert.equal(await printed("info", path), "Page Size: 4096\n");
    assert.equal((await printed("buckets", path)).split("\n")[5], "key");
    assert.equal(await printed("stats", path), STATS);
    assert.match(await printed("stats", path, "le"), /for 1 buckets\n/);
    assert.equal(await printed("pages", path), PAGES);
    assert.equal(await printed("keys", path, "lease"), "0001ff\nc3bc09\n");
    assert.equal(
      await printed("keys", "--format", "ascii-encoded", path, "lease"),
      '"\\x00\\x01\\xff"\n"ü\\t"\n',
    );
    assert.equal(await printed("get", path, "lease", "ü\t"), "0102\n");
    const hex = ["--parse-format", "hex", "--format", "ascii-encoded"];
    assert.equal(await printed("get", ...hex, path, "lease", "c3bc09"), '"\\x01\\x02"\n');
  });

  test("UT-08 bbolt page: each type → its head and its items", async () => {
    const { stdout } = await bbolt("page", path, "0", "2", "39", "43");
    const [meta, freelist, branch, leaf] = stdout.split(`${"=".repeat(47)}\n`) as string[];
    const head = "Page ID:    0\nPage Type:  meta\nTotal Size: 4096 bytes\nOverflow pages: 0\n";
    assert.match(
      meta ?? "",
      new RegExp(
        `^${head}Version:    2\nPage Size:  4096 bytes\nFlags:      00000000\n` +
          "Root:       <pgid=44>\nFreelist:   <pgid=2>\nHWM:        <pgid=45>\n" +
          "Txn ID:     2\nChecksum:   [0-9a-f]{16}\n\n$",
      ),
    );
    assert.match(freelist ?? "", /Item Count: 0\nOverflow: 0\n\n\n$/);
    assert.match(branch ?? "", /Item Count: 4\n\n"key 1000": <pgid=8>\n"key 1005": <pgid=9>\n/);
    assert.match(leaf ?? "", /Item Count: 2\n\n.*: .*\n.*: .*\n\n$/);
    const all = await bbolt("page", "--all", path);
    assert.equal(all.stdout.split("=".repeat(47)).length, PAGES.split("\n").length - 3);
  });

  test("UT-08 bbolt: this file and bbolt's own tool → the same, byte by byte", {
    skip: HAS_THEIRS ? false : `${THEIRS} is not installed`,
  }, async () => {
    const asked = [
      ["check", path],
      ["stats", path],
      ["pages", path],
      ["page", "--all", path],
      ["keys", path, "key"],
    ];
    for (const args of asked) {
      const theirs = spawnSync(THEIRS, args);
      assert.equal((await bbolt(...args)).stdout, theirs.stdout.toString(), args[0]);
    }
  });

  test("UT-08 bbolt: a pipe that is read slowly → all of the output", async () => {
    const wanted = (await bbolt("page", "--all", path)).stdout;
    assert.ok(wanted.length > 100_000);
    const main = join(import.meta.dirname, "..", "..", "server", "main.ts");
    const words = [process.execPath, main, "utl", "bbolt", "page", "--all", path];
    const line = `${words.map((word) => `'${word}'`).join(" ")} | (sleep 1; cat)`;
    assert.equal(spawnSync("sh", ["-c", line]).stdout.toString(), wanted);
  });

  test("UT-08 bbolt check: a page twice, a page nowhere, a wrong header → each named, exit code 1", async () => {
    const rootOfKey = 39 * PAGE_BYTES;
    const secondChild = rootOfKey + PAGE_HEADER_BYTES + 16 + 8;
    const twice = await bbolt("check", damaged(secondChild, Uint8Array.of(8)));
    assert.equal(twice.code, 1);
    assert.match(twice.stdout, /^page 8: multiple references, again by page 39$/m);
    assert.match(twice.stdout, /^page 9: unreachable unfreed$/m);
    assert.match(twice.stdout, /^\d+ errors found$/m);
    const other = await bbolt("check", damaged(8 * PAGE_BYTES, Uint8Array.of(7)));
    assert.match(other.stdout, /found the id 7 in page 8, wanted 8/);
    const freed = Buffer.alloc(16);
    freed.writeUInt16LE(1, 2);
    freed.writeUInt8(8, 8);
    freed.writeUInt16LE(0x10, 0);
    const free = await bbolt("check", damaged(2 * PAGE_BYTES + 8, freed));
    assert.match(free.stdout, /^page 8: reachable freed$/m);
  });

  test("UT-08 bbolt: wrong use, other files → refused by name", async () => {
    const cases: [string[], number, RegExp][] = [
      [["check", "/no/file"], 1, /no such file or directory/],
      [["keys", path, "nope"], 1, /bucket not found: "nope"; there are alarm, /],
      [["get", path, "lease", "nope"], 1, /key not found: nope, hex 6e6f7065/],
      [["get", "--parse-format", "hex", path, "lease", "0"], 128, /no key in format hex/],
      [["keys", "--format", "x", path, "lease"], 128, /unsupported format "x"/],
      [["page", path], 128, /give page ids, or --all/],
      [["page", path, "x"], 128, /"x" is no page id/],
      [["check", import.meta.filename], 1, /without a valid meta page.*wanted a bbolt file/],
      [["check", root], 1, /is a directory; bbolt files are/],
    ];
    for (const [args, code, message] of cases) {
      const answer = await bbolt(...args);
      assert.match(answer.stderr, message);
      assert.equal(answer.code, code, args.join(" "));
    }
    assert.match((await bbolt("page", path, "99")).stdout, /page 99 cannot be shown/);
  });

  test("UT-08 bbolt: bytes replaced at random → an answer, never a crash or a hang", async () => {
    const prng = new Prng(Number(process.env["SEED"] ?? "1"));
    for (let run = 0; run < RUNS; run += 1) {
      const at = prng.below(2) === 0 ? prng.below(image.length) : prng.below(45) * PAGE_BYTES;
      const bytes = Uint8Array.from({ length: 1 + prng.below(24) }, () => prng.uint32());
      const file = damaged(Math.min(at, image.length - 24), bytes);
      for (const args of [
        ["check", file],
        ["stats", file],
        ["page", "--all", file],
        ["pages", file],
      ]) {
        const { code, stderr } = await bbolt(...args);
        assert.ok(code === 0 || code === 1, stderr);
        assert.doesNotMatch(stderr, /RangeError|TypeError|out of range/i, `run ${run}`);
      }
    }
  });
});
