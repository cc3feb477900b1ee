import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "../seam/index.ts";
import { ManualTime } from "../testing/index.ts";
import { announce, announceVersion } from "./announcement.ts";

function recorder(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const logger: Logger = {
    debug() {},
    info: (message, fields) => void lines.push([message, ...Object.values(fields ?? {})].join(" ")),
    warn() {},
    error() {},
    isEnabled: () => true,
    child: () => logger,
  };
  return { logger, lines };
}

test("announcement: the ready line, and one for each URL", () => {
  const { logger, lines } = recorder();
  announce(["http://127.0.0.1:1", "https://127.0.0.1:2"], logger);
  assert.deepEqual(lines, [
    "ready to serve client requests",
    "serving client traffic insecurely http://127.0.0.1:1",
    "serving client traffic securely https://127.0.0.1:2",
  ]);
});

test("announcement: the cluster version once it is decided, and again when it changes (PV-01)", () => {
  const time = new ManualTime();
  const { logger, lines } = recorder();
  const member: { clusterVersion: string | undefined } = { clusterVersion: undefined };
  const announcing = announceVersion(member, time, logger);
  time.advance(1001);
  assert.deepEqual(lines, []);
  member.clusterVersion = "3.6.0";
  time.advance(1001);
  member.clusterVersion = "3.7.0";
  time.advance(1001);
  assert.deepEqual(lines, [
    "enabled capabilities for version 3.6.0",
    "enabled capabilities for version 3.7.0",
  ]);
  announcing.close();
  member.clusterVersion = "3.8.0";
  time.advance(1001);
  assert.equal(lines.length, 2);
});
