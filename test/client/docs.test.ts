/** Every program in docs/client.md runs as it stands and prints what the page says. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT, run, type Server, start, temporaryDirectory } from "../harness/process.ts";

const PAGE = readFileSync(join(ROOT, "docs", "client.md"), "utf8");
const EXAMPLE = /^## (.*?)$|^```ts\n(.*?)^```\n\n```text\n(.*?)^```$/gms;

interface Example {
  readonly heading: string;
  readonly program: string;
  readonly prints: string;
}

function examples(): Example[] {
  const found: Example[] = [];
  let heading = "";
  for (const [, title, program, prints] of PAGE.matchAll(EXAMPLE)) {
    if (title !== undefined) heading = title;
    else found.push({ heading, program: program ?? "", prints: prints ?? "" });
  }
  return found;
}

describe("docs/client.md", () => {
  let server: Server;
  let folder: string;

  before(async () => {
    folder = temporaryDirectory("docs");
    server = await start("holdfast");
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await server?.dispose();
  });

  test("docs: the page has an example under each of its headings", () => {
    assert.equal(examples().length, PAGE.match(/^```ts$/gm)?.length);
    assert.equal(examples().length, PAGE.match(/^## /gm)?.length);
  });

  for (const { heading, program, prints } of examples()) {
    test(`docs: "${heading}" prints what the page says`, async () => {
      const file = join(folder, "example.mts");
      const library = join(ROOT, "src", "client", "index.ts");
      const text = program
        .replace('"holdfast/client"', JSON.stringify(library))
        .replaceAll("127.0.0.1:2379", server.address);
      writeFileSync(file, text);
      const { code, stdout, stderr } = await run(process.execPath, [file]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, prints);
    });
  }
});
