import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberRecord } from "../apply/index.ts";
import { quote, rejoinText } from "./rejoin.ts";

function member(id: bigint, name = `m${id}`): MemberRecord {
  return {
    id,
    name,
    peerUrls: [`https://h${id}:2380`],
    clientUrls: [`https://h${id}:2379`],
    isLearner: false,
  };
}

test("rejoin: each lost member by name, one after the other, each with the list as it is then (EQ-c3)", () => {
  const own = { ...member(2n), id: 77n };
  const text = rejoinText({
    directory: "/var/lib/my data",
    walDirectory: "/wal/m2",
    own,
    former: [member(3n), member(2n), member(1n)],
  });
  const flat = text.replaceAll(/ \\\n\s+/g, " ");
  const start = "holdfast --name m2 --data-dir '/var/lib/my data' --wal-dir /wal/m2";
  assert.ok(flat.includes(start), flat);
  const ctl = "holdfast ctl --endpoints=https://h2:2379";
  const wanted = [
    `${ctl} endpoint health`,
    `${ctl} member add m1 --learner --peer-urls=https://h1:2380`,
    "--initial-cluster m2=https://h2:2380,m1=https://h1:2380 --initial-cluster-state existing",
    `${ctl} member promote $(${ctl} member list | awk -F', ' '$4=="https://h1:2380"{print $1}')`,
    `${ctl} member add m3 --learner --peer-urls=https://h3:2380`,
    "--initial-cluster m2=https://h2:2380,m1=https://h1:2380,m3=https://h3:2380",
  ];
  let at = 0;
  for (const part of wanted) {
    const found = flat.indexOf(part, at);
    assert.ok(found >= 0, `${part} after position ${at} of\n${flat}`);
    at = found;
  }
  assert.equal(flat.includes("member add m2"), false);
});

test("rejoin: words that a shell would take apart are quoted", () => {
  assert.equal(quote("/var/lib/etcd-1_a.b"), "/var/lib/etcd-1_a.b");
  assert.equal(quote("it's $HOME"), `'it'\\''s $HOME'`);
});
