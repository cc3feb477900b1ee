/** nghttp2's own programs (Debian: nghttp2-client) against our server. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { startServer } from "./support.ts";

const run = promisify(execFile);
const NGHTTP = "/usr/bin/nghttp";
const H2LOAD = "/usr/bin/h2load";
const skip = existsSync(NGHTTP) && existsSync(H2LOAD) ? false : "nghttp2-client is not installed";

test("nghttp: requests, an upload and padding over h2c (FR-11)", { skip }, async (context) => {
  const { url } = await startServer(context);
  const folder = mkdtempSync(join(tmpdir(), "holdfast-nghttp-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const upload = join(folder, "upload");
  writeFileSync(upload, Buffer.alloc(200_000));
  const get = await run(NGHTTP, ["-v", "--padding=100", `${url}/health`]);
  assert.match(get.stdout, /:status: 200/);
  assert.match(get.stdout, /GET \/health 0/);
  const post = await run(NGHTTP, ["-d", upload, "--no-content-length", `${url}/upload`]);
  assert.equal(post.stdout, "POST /upload 200000\n");
  const many = await run(NGHTTP, ["-m", "50", "--continuation", `${url}/health`]);
  assert.equal(many.stdout, "GET /health 0\n".repeat(50));
});

test("h2load: 10 000 requests on 10 connections, windows of 2^10", { skip }, async (context) => {
  const { url } = await startServer(context);
  const options = ["-n", "10000", "-c", "10", "-m", "20", "-w", "10", "-W", "12"];
  const { stdout } = await run(H2LOAD, [...options, `${url}/health`]);
  assert.match(stdout, /10000 succeeded, 0 failed, 0 errored, 0 timeout/);
  assert.match(stdout, /10000 2xx/);
});
