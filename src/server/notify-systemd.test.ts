import assert from "node:assert/strict";
import { test } from "node:test";
import { notifySystemd } from "./notify-systemd.ts";

test("systemd: not asked, or without its helper → nothing happens", () => {
  assert.equal(notifySystemd({ PATH: "/" }), false);
  assert.equal(notifySystemd({ PATH: "/", NOTIFY_SOCKET: "" }), false);
  assert.equal(notifySystemd({ PATH: "/nowhere", NOTIFY_SOCKET: "/run/none" }), true);
});
