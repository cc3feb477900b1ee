/**
 * What `npm start` and `npm test` do before anything else, on any Node >= 20: install the packages
 * that package-lock.json names, and build dist/ when the sources have changed.
 *
 * Plain JavaScript without dependencies, since it runs before there are any.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BIN = join(ROOT, "node_modules", ".bin");
const NODE_MAJOR_WANTED = 24;

/** Lines of set-up go to stderr, so that the output of what is started stays clean. */
export function say(line) {
  process.stderr.write(`holdfast: ${line}\n`);
}

export function fail(line, code = 1) {
  say(line);
  process.exit(code);
}

export function bin(name) {
  return join(BIN, name);
}

/** The Node that Holdfast runs on: that of the lock file, else this one when it is new enough. */
export function nodePath() {
  const bundled = bin("node");
  if (existsSync(bundled)) return bundled;
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= NODE_MAJOR_WANTED) return process.execPath;
  const machine = `${process.platform}-${process.arch}`;
  return fail(
    `no Node ${NODE_MAJOR_WANTED} package exists for ${machine}, and this is Node ` +
      `${process.versions.node}; install Node ${NODE_MAJOR_WANTED} or newer and try again`,
  );
}

/** Packages of the lock file that are not installed as it says; optional ones may be absent. */
export function packagesMissing(root = ROOT) {
  const hidden = join(root, "node_modules", ".package-lock.json");
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  if (!existsSync(hidden)) return Object.keys(wanted).filter((path) => path !== "");
  const found = JSON.parse(readFileSync(hidden, "utf8")).packages;
  return Object.keys(wanted).filter((path) => {
    if (!path.startsWith("node_modules/")) return false;
    const have = found[path];
    if (have === undefined) return wanted[path].optional !== true;
    return have.version !== wanted[path].version;
  });
}

function install() {
  const missing = packagesMissing();
  if (missing.length === 0) return;
  say(`installing packages (${missing.length} missing or of another version) ...`);
  const started = performance.now();
  const flags = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  flags.push("--include=dev", "--include=optional");
  // npm_execpath is the npm that runs this script; it is missing when started by hand.
  const npm = process.env.npm_execpath;
  const result = npm?.endsWith(".js")
    ? spawnSync(process.execPath, [npm, ...flags], { cwd: ROOT, stdio: ["ignore", 2, 2] })
    : spawnSync("npm", flags, { cwd: ROOT, stdio: ["ignore", 2, 2] });
  if (result.error !== undefined) fail(`npm could not be started: ${result.error.message}`);
  if (result.status !== 0)
    fail(`npm ci failed with exit code ${result.status}; its lines are above`);
  say(`installed in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

/** Every file below `directory`, sorted, as paths relative to the root. */
export function filesBelow(directory, root = ROOT) {
  if (!existsSync(join(root, directory))) return [];
  const found = [];
  for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
    if (entry.name === "node_modules" || entry.name === "dist") continue;
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) found.push(...filesBelow(path, root));
    else found.push(path);
  }
  return found.sort();
}

/** Changes when a source, the compiler or its options change. */
function buildStamp() {
  const hash = createHash("sha256");
  const sources = filesBelow("src").filter((path) => /(?<!\.(test|bench|child))\.ts$/.test(path));
  for (const path of [...sources, "tsconfig.json", "tsconfig.build.json", "package-lock.json"]) {
    const stat = statSync(join(ROOT, path));
    hash.update(`${path} ${stat.size} ${stat.mtimeMs}\n`);
  }
  return hash.digest("hex");
}

/**
 * Builds dist/ when it is stale; false when the compiler refuses. The result is built aside and
 * moved into place, so that a failed build leaves the last good one, and a removed source leaves
 * nothing behind.
 */
export function build() {
  const stampPath = join(ROOT, "dist", ".build-stamp");
  const stamp = buildStamp();
  if (existsSync(stampPath) && readFileSync(stampPath, "utf8") === stamp) return true;
  const aside = join(ROOT, ".cache", `build-${process.pid}`);
  mkdirSync(aside, { recursive: true });
  try {
    const flags = ["-p", join(ROOT, "tsconfig.build.json"), "--outDir", aside];
    const result = spawnSync(bin("tsc"), flags, { cwd: ROOT, stdio: ["ignore", 2, 2] });
    if (result.status !== 0) {
      say("the build failed; the compiler's lines are above");
      return false;
    }
    writeFileSync(join(aside, ".build-stamp"), stamp);
    const old = join(ROOT, ".cache", `old-${process.pid}`);
    if (existsSync(join(ROOT, "dist"))) renameSync(join(ROOT, "dist"), old);
    renameSync(aside, join(ROOT, "dist"));
    rmSync(old, { recursive: true, force: true });
    return true;
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** Packages alone, for what runs from the sources. */
export function setUpPackages() {
  if (Number(process.versions.node.split(".")[0]) < 20) {
    fail(`Node ${process.versions.node} is too old: 20 or newer is wanted to set up`);
  }
  install();
}

/** Packages and dist/, as `npm start` and `npm test` need them; false when the build failed. */
export function setUp() {
  setUpPackages();
  return build();
}

/**
 * Runs a program in the foreground with our standard streams; signals that ask this process to end
 * are passed on. Resolves to the exit code, 128 + n when a signal ended it.
 */
export function runInForeground(program, args, env = process.env) {
  const child = spawn(program, args, { stdio: "inherit", env });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];
  const forward = (signal) => {
    child.kill(signal);
  };
  for (const signal of signals) process.on(signal, forward);
  return new Promise((resolve) => {
    child.on("error", (error) => fail(`${program} could not be started: ${error.message}`));
    child.on("exit", (code, signal) => {
      for (const name of signals) process.off(name, forward);
      const numbers = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 };
      resolve(code ?? 128 + (numbers[signal] ?? 0));
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = setUp() ? 0 : 1;
