import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../errors/index.ts";
import { checkPeerUrls, parsePeerUrls } from "./peer-urls.ts";

test("peer URLs: scheme, host and port, or a socket's path → taken as given (CL-01)", () => {
  const urls = ["https://[::1]:2380", "http://a.example:1", "unix://run/x.sock:0", "unixs://a"];
  assert.deepEqual(parsePeerUrls(urls), urls);
  assert.equal(checkPeerUrls(urls), undefined);
});

test("peer URLs: blanks around them and capitals in the scheme → as they are kept (CL-01)", () => {
  assert.deepEqual(parsePeerUrls([" HTTP://a:1\n"]), ["http://a:1"]);
});

test("peer URLs: none, or one that leads nowhere → MemberBadURLs (CL-01, CL-06, DV-02)", () => {
  const bad = [
    "",
    "bad",
    "a:2380",
    "http://a",
    "http://a:",
    "http://:2380",
    "http://a:65536",
    "http://a:b",
    "http://a:1/",
    "http://a:1/path",
    "http://a:1?q",
    "http://a:1#f",
    "http://u:p@a:1",
    "http://::1:2380",
    "http://a b:1",
    "http://a:1 http://b:1",
    "ftp://a:1",
    "unix://",
    "http://a\\b:1",
  ];
  assert.equal(checkPeerUrls([]), errors.MemberBadURLs);
  for (const url of bad) {
    assert.equal(checkPeerUrls(["http://good:1", url]), errors.MemberBadURLs, url);
  }
});
