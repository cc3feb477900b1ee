/**
 * The package as a user gets it: packed, installed into an empty folder, run by its name, and
 * embedded by a small program that is type-checked against what was installed.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT, run, temporaryDirectory } from "./harness/process.ts";

const EMBEDDING = `
import { startMember } from "holdfast";

const member = await startMember({
  dataDirectory: process.argv[2] ?? "",
  listenClientUrls: ["http://127.0.0.1:0"],
});
const url: string = member.clientUrls[0] ?? "";
const answer = await fetch(\`\${url}/health\`);
console.log(answer.status, await answer.text());
await member.close();
`;

const CLIENT = `
import { ClientError, connect, type WatchBatch } from "holdfast/client";
import { startMember } from "holdfast";

const member = await startMember({
  dataDirectory: process.argv[2] ?? "",
  listenClientUrls: ["http://127.0.0.1:0"],
});
using client = connect({ endpoints: member.clientUrls });
const watch = client.watch("k");
await watch.created;
await client.kv.put("k", "over the package");
const first: IteratorResult<WatchBatch, undefined> = await watch.next();
console.log(first.value?.events[0]?.kv.value.toString());
const refused: unknown = await client.lease.revoke(1n).catch((error: unknown) => error);
console.log(refused instanceof ClientError && refused.id);
client.close();
await member.close();
`;

const OPTIONS = {
  compilerOptions: {
    target: "es2023",
    module: "nodenext",
    moduleResolution: "nodenext",
    strict: true,
    noEmit: true,
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules", "@types")],
    allowImportingTsExtensions: true,
  },
  files: ["embed.ts", "client.ts"],
};

describe("package", () => {
  let folder: string;
  // The Node that runs this test comes first, for npm, npx and what they start.
  const env = { PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ""}` };

  before(async () => {
    folder = temporaryDirectory("package");
    const app = join(folder, "app");
    mkdirSync(app);
    const packed = await run("npm", ["pack", "--pack-destination", folder, "--loglevel=error"], {
      cwd: ROOT,
      env,
      deadlineMs: 120_000,
    });
    assert.equal(packed.code, 0, packed.stderr);
    const archive = readdirSync(folder).find((name) => name.endsWith(".tgz"));
    assert.ok(archive !== undefined, packed.stdout);
    writeFileSync(
      join(app, "package.json"),
      '{ "name": "app", "private": true, "type": "module" }',
    );
    const flags = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"];
    const installed = await run("npm", ["install", ...flags, join(folder, archive)], {
      cwd: app,
      env,
      deadlineMs: 180_000,
    });
    assert.equal(installed.code, 0, installed.stderr);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("package: holds what it needs to run and nothing of how it is made", () => {
    const root = join(folder, "app", "node_modules", "holdfast");
    const top = readdirSync(root).sort();
    assert.deepEqual(top, ["LICENSE", "README.md", "bin", "dist", "package.json"]);
    const files = readdirSync(join(root, "dist"), { recursive: true, encoding: "utf8" });
    const strange = files.filter((name) => /\.test\.|testing\/|(?<!\.d)\.ts$/.test(name));
    assert.deepEqual(strange, []);
    assert.ok(files.includes("index.d.ts") && files.includes("index.js"));
    assert.ok(files.includes("client/index.d.ts") && files.includes("client/index.js"));
  });

  test("package: npx holdfast --version → the version, as etcd prints it", async () => {
    const result = await run("npx", ["--no-install", "holdfast", "--version"], {
      cwd: join(folder, "app"),
      env,
    });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /^etcd Version: 3\.7\.\d+\n/);
  });

  test("package: programs embed a member and use the client, with types", async () => {
    const app = join(folder, "app");
    writeFileSync(join(app, "embed.ts"), EMBEDDING);
    writeFileSync(join(app, "client.ts"), CLIENT);
    writeFileSync(join(app, "tsconfig.json"), JSON.stringify(OPTIONS));
    const tsc = join(ROOT, "node_modules", ".bin", "tsc");
    const checked = await run(tsc, ["-p", app], { cwd: app, env });
    assert.equal(checked.code, 0, checked.stdout);
    const data = join(folder, "data");
    const ran = await run(process.execPath, ["embed.ts", data], { cwd: app, env });
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /^200 \{"health":"true"/m);
  });

  test("package: a program uses the client library by its own name", async () => {
    const app = join(folder, "app");
    const ran = await run(process.execPath, ["client.ts", join(folder, "data2")], {
      cwd: app,
      env,
    });
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /^over the package\nLeaseNotFound$/m);
  });
});
