import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const LAUNCHER = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "bin", "holdfast");
const PROGRAM = "console.log(process.pid, process.argv.slice(2).join('|'), process.cwd());\n";

/** A package of its own with a program that tells how it was called. */
function installed(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "holdfast-launcher-"));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "bin"));
  mkdirSync(join(root, "dist", "server"), { recursive: true });
  mkdirSync(join(root, "node_modules", ".bin"), { recursive: true });
  copyFileSync(LAUNCHER, join(root, "bin", "holdfast"));
  writeFileSync(join(root, "package.json"), '{"type":"module"}');
  writeFileSync(join(root, "dist", "server", "main.js"), PROGRAM);
  symlinkSync(process.execPath, join(root, "node_modules", ".bin", "node"));
  return root;
}

function call(path: string, parts: string[], options: { cwd?: string; path?: string } = {}) {
  const env = { PATH: options.path ?? "/usr/bin:/bin" };
  const result = spawnSync(path, parts, { cwd: options.cwd, env, encoding: "utf8" });
  return { ...result, out: result.stdout.trim(), err: result.stderr.trim() };
}

test("launcher: the started process becomes the program, arguments whole, from any directory", (t) => {
  const root = installed(t);
  const { pid, out } = call(join(root, "bin", "holdfast"), ["--name", "a b", "", "--x='y'"], {
    cwd: "/",
  });
  assert.equal(out, `${pid} --name|a b||--x='y' /`);
});

test("launcher: called through links, one named etcd → finds its package", (t) => {
  const root = installed(t);
  mkdirSync(join(root, "some where"));
  symlinkSync("../bin/holdfast", join(root, "some where", "holdfast"));
  symlinkSync(join(root, "some where", "holdfast"), join(root, "etcd"));
  const { pid, out } = call("./etcd", ["--version"], { cwd: root });
  assert.equal(out, `${pid} --version ${root}`);
});

test("launcher: links named as etcd's tools and the scripts around them → those programs, others the server", (t) => {
  const root = installed(t);
  for (const [name, words] of [
    ["etcd", "--x|y"],
    ["etcdctl", "ctl|--x|y"],
    ["etcdutl", "utl|--x|y"],
    ["etcdctl3.sh", "ctl|--x|y"],
    ["etcd-health.sh", "ctl|--debug|cluster-health|--x|y"],
  ] as const) {
    symlinkSync(join(root, "bin", "holdfast"), join(root, name));
    assert.equal(call(`./${name}`, ["--x", "y"], { cwd: root }).out.split(" ")[1], words);
  }
});

test("launcher: a runtime beside the package or on PATH, but none that is too old", (t) => {
  const root = installed(t);
  rmSync(join(root, "node_modules"), { recursive: true });
  const launcher = join(root, "bin", "holdfast");
  const old = join(root, "old");
  mkdirSync(old);
  writeFileSync(join(old, "node"), "#!/bin/sh\necho v20.1.2\n", { mode: 0o755 });
  const refused = call(launcher, [], { path: `${old}:/usr/bin:/bin` });
  assert.equal(refused.status, 1);
  assert.equal(
    refused.err,
    "holdfast: Node.js 24 or newer is needed, found 20; install it and put it on PATH",
  );
  const onPath = call(launcher, ["x"], { path: `${dirname(process.execPath)}:/usr/bin:/bin` });
  assert.match(onPath.out, /^\d+ x /);
});

test("launcher: not built → one line that says how; older than its sources → told", (t) => {
  const root = installed(t);
  const launcher = join(root, "bin", "holdfast");
  mkdirSync(join(root, "src"));
  writeFileSync(join(root, "src", "a.ts"), "");
  utimesSync(join(root, "dist", "server", "main.js"), 1, 1);
  const older = call(launcher, []);
  assert.equal(older.status, 0);
  assert.match(older.err, /^holdfast: dist\/ is older than src\/; run npm run build in .*$/);
  rmSync(join(root, "dist"), { recursive: true });
  const missing = call(launcher, []);
  assert.equal(missing.status, 1);
  assert.match(missing.err, /^holdfast: .*main\.js is missing; run npm run build in .*$/);
});
