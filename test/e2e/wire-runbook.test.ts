/**
 * The runbook of Wire's etcd, word for word, on three members of Holdfast: what is typed is what
 * the page says, and what is printed is what the page shows. A member that went back in time is
 * removed, added, wiped and started; before that, all are restarted one by one under load.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { type Client, connect } from "../../src/client/index.ts";
import { Pki } from "../harness/pki.ts";
import { freePort, poll } from "../harness/process.ts";
import { WireNode } from "./wire-nodes.ts";

const WAIT_MS = 30_000;
const HEAD = `Cluster-Endpoints: https://127.0.0.1:2379
cURL Command: curl -X GET https://127.0.0.1:2379/v2/members
`;

class Runbook {
  readonly nodes: readonly WireNode[];
  readonly pki: Pki;
  /** Ids as they came to be, and as they are shown. */
  readonly #ids = new Map<string, string>();

  private constructor(nodes: readonly WireNode[], pki: Pki) {
    this.nodes = nodes;
    this.pki = pki;
  }

  static async start(): Promise<Runbook> {
    const pki = new Pki();
    const ports = { client: await freePort(), peer: await freePort() };
    const nodes = [0, 1, 2].map((index) => new WireNode(index, ports, pki));
    const book = new Runbook(nodes, pki);
    try {
      await book.#begin();
    } catch (error) {
      await book.dispose();
      throw error;
    }
    return book;
  }

  async #begin(): Promise<void> {
    for (const node of this.nodes) node.start(this.cluster, "new");
    await this.untilHealthy(3);
    const { stdout } = await this.node(0).type("etcdctl3.sh member list");
    for (const row of stdout.trim().split("\n")) {
      const [id = "", , name = ""] = row.split(", ");
      this.call(id, `<${name}>`);
    }
  }

  get cluster(): string {
    return this.nodes.map((node) => `${node.name}=${node.peerUrl}`).join(",");
  }

  node(index: number): WireNode {
    return this.nodes[index] as WireNode;
  }

  /** From now on this id is shown so. */
  call(id: string, name: string): void {
    this.#ids.set(id, name);
  }

  idOf(name: string): string {
    return [...this.#ids].find(([, known]) => known === name)?.[0] ?? "";
  }

  /** With ids as names, and members, whose order their ids decide, in that of their names. */
  show(text: string): string {
    // Ids are filled up to 16 places with blanks (%16x), so one that begins with a zero has more.
    let shown = text.replace(/(Member|cluster) +(?=[0-9a-f]+\b)/g, "$1 ");
    for (const [id, name] of this.#ids) shown = shown.replaceAll(id, name);
    const member = /^(?:failed to check .*\n)*(?:member )?(<etcd_\d>).*\n/gm;
    const sorted = [...shown.matchAll(member)].sort(([, one = ""], [, other = ""]) => {
      return one < other ? -1 : 1;
    });
    return shown.replaceAll(member, () => sorted.shift()?.[0] ?? "");
  }

  /** What a line of the runbook prints on a node, errors and all. */
  async print(index: number, line: string): Promise<string> {
    const { stdout } = await this.node(index).type(`${line} 2>&1`);
    return this.show(stdout);
  }

  /** "Wait for your cluster to be healthy again", by the runbook's own command. */
  async untilHealthy(members: number): Promise<void> {
    let text = "";
    await Promise.all(this.nodes.filter(({ isUp }) => isUp).map((node) => node.untilReady()));
    await poll(
      "a healthy cluster",
      async () => {
        text = await this.print(0, "etcd-health.sh");
        const healthy = text.match(/is healthy: got healthy result/g)?.length ?? 0;
        return healthy === members && text.endsWith("cluster is healthy\n");
      },
      WAIT_MS,
    ).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}\n${text}\n${this.node(0).server.tail()}`);
    });
  }

  /**
   * The same, typed again until all members have been connected for five seconds: for so long
   * after a start the members are not changed.
   */
  async printOnceHealthy(index: number, line: string): Promise<string> {
    let text = "";
    await poll(
      "members connected for five seconds",
      async () => {
        text = await this.print(index, line);
        return !text.includes("unhealthy cluster");
      },
      WAIT_MS,
    );
    return text;
  }

  /** What `etcdctl3.sh` says of a change that is not made. */
  async refusal(line: string): Promise<string> {
    const { code, stderr } = await this.node(0).type(`etcdctl3.sh ${line}`);
    assert.equal(code, 1, line);
    return stderr;
  }

  async dispose(): Promise<void> {
    for (const node of this.nodes) await node.server.kill();
  }
}

/** Puts one key after the other, each until it is acknowledged, and remembers those. */
class Writer {
  readonly client: Client;
  readonly acknowledged: string[] = [];
  readonly failures: string[] = [];
  #isOver = false;
  readonly #writing: Promise<void>;

  constructor(client: Client) {
    this.client = client;
    this.#writing = this.#write();
  }

  async #write(): Promise<void> {
    for (let i = 0; !this.#isOver; i += 1) {
      if (await this.#put(`k${i}`)) this.acknowledged.push(`k${i}`);
    }
  }

  /** As a client does that tries again: only what stays refused is an error. */
  async #put(key: string): Promise<boolean> {
    const giveUpAt = performance.now() + WAIT_MS;
    for (;;) {
      try {
        await this.client.kv.put(key, key, { timeoutMs: 2_000 });
        return true;
      } catch (error) {
        if (performance.now() < giveUpAt) continue;
        this.failures.push((error as Error).message);
        return false;
      }
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#writing;
  }
}

describe("Wire's runbook", { timeout: 180_000 }, () => {
  let book: Runbook;

  before(async () => {
    book = await Runbook.start();
  });
  after(async () => {
    await book?.dispose();
  });

  test("how to see cluster health → three healthy members (EQ-d1)", async () => {
    assert.equal(
      await book.print(0, "etcd-health.sh"),
      `${HEAD}member <etcd_0> is healthy: got healthy result from https://10.10.1.10:2379
member <etcd_1> is healthy: got healthy result from https://10.10.1.11:2379
member <etcd_2> is healthy: got healthy result from https://10.10.1.12:2379
cluster is healthy
`,
    );
  });

  test("health, over TLS → the same lines, and the glance (EQ-d2)", async () => {
    const text = await book.print(0, "etcdctl3.sh health");
    assert.ok(text.includes("\ncluster is healthy\n\nMEMBER "), text);
    for (const name of ["etcd_0", "etcd_1", "etcd_2"]) {
      // A figure in each column: Status, /health and /metrics answered.
      assert.match(
        text,
        new RegExp(`^${name} +<${name}> +(leader|follower) +3\\.7\\.1 .* m?s  `, "m"),
      );
    }
  });

  test("rolling restart under load → no acknowledged write lost, no error (EQ-d1, EQ-d4)", async () => {
    const pair = book.pki.issue("writer");
    const tls = {
      ca: readFileSync(book.pki.caFile),
      cert: readFileSync(pair.certFile),
      key: readFileSync(pair.keyFile),
    };
    using client = connect({ endpoints: book.nodes.map((node) => node.clientUrl), tls });
    const writer = new Writer(client);
    for (const node of book.nodes) {
      assert.deepEqual(await node.stop(), { code: 0, signal: null }, node.server.tail());
      node.start(book.cluster, "existing");
      await book.untilHealthy(3);
    }
    await writer.end();
    assert.deepEqual(writer.failures, []);
    assert.ok(writer.acknowledged.length > 20, `${writer.acknowledged.length} writes`);
    const { kvs } = await client.kv.get("k", { prefix: true });
    const found = new Set(kvs.map(({ key }) => key.toString()));
    assert.deepEqual(
      writer.acknowledged.filter((key) => !found.has(key)),
      [],
    );
  });

  test("a node that cannot start → the symptoms as shown (EQ-d1, EQ-d2)", async () => {
    await book.node(2).stop();
    assert.equal(
      await book.print(0, "etcd-health.sh"),
      `${HEAD}member <etcd_0> is healthy: got healthy result from https://10.10.1.10:2379
member <etcd_1> is healthy: got healthy result from https://10.10.1.11:2379
failed to check the health of member <etcd_2> on https://10.10.1.12:2379: Get https://10.10.1.12:2379/health: dial tcp 10.10.1.12:2379: getsockopt: connection refused
member <etcd_2> is unreachable: [https://10.10.1.12:2379] are all unreachable
cluster is healthy
`,
    );
  });

  test("member remove → the line shown, and two healthy members (EQ-d1)", async () => {
    const remove = `etcdctl3.sh  member remove ${book.idOf("<etcd_2>")}`;
    const text = await book.printOnceHealthy(0, remove);
    assert.match(text, /^Member <etcd_2> removed from cluster [0-9a-f]+\n$/);
    book.call(/cluster ([0-9a-f]+)/.exec(text)?.[1] ?? "", "<cluster>");
    assert.equal(
      await book.print(0, "etcd-health.sh"),
      `${HEAD}member <etcd_0> is healthy: got healthy result from https://10.10.1.10:2379
member <etcd_1> is healthy: got healthy result from https://10.10.1.11:2379
cluster is healthy
`,
    );
  });

  test("the URL of another member → refused in etcd's words (EQ-d5)", async () => {
    const taken = "etcdctl3.sh member add etcd_2 --peer-urls https://10.10.1.11:2380";
    assert.equal(
      await book.printOnceHealthy(0, taken),
      "Error: etcdserver: Peer URLs already exists\n",
    );
  });

  test("member add, member list → the variables and the unstarted member (EQ-d1)", async () => {
    const add = "etcdctl3.sh member add etcd_2 --peer-urls https://10.10.1.12:2380";
    const text = await book.print(0, add);
    const id = /^Member +([0-9a-f]+) added/.exec(text)?.[1] ?? "";
    book.call(id, "<etcd_2>");
    const [cluster = ""] = /(?<=ETCD_INITIAL_CLUSTER=").*(?=")/.exec(text) ?? [];
    assert.deepEqual(cluster.split(",").sort(), [
      "etcd_0=https://10.10.1.10:2380",
      "etcd_1=https://10.10.1.11:2380",
      "etcd_2=https://10.10.1.12:2380",
    ]);
    assert.equal(
      book.show(text).replace(cluster, "..."),
      `Member <etcd_2> added to cluster <cluster>

ETCD_NAME="etcd_2"
ETCD_INITIAL_CLUSTER="..."
ETCD_INITIAL_CLUSTER_STATE="existing"
`,
    );
    assert.equal(
      await book.print(0, "etcdctl3.sh member list"),
      `<etcd_0>, started, etcd_0, https://10.10.1.10:2380, https://10.10.1.10:2379
<etcd_1>, started, etcd_1, https://10.10.1.11:2380, https://10.10.1.11:2379
<etcd_2>, unstarted, , https://10.10.1.12:2380, 
`,
    );
  });

  test("changes that an unstarted member forbids → refused in etcd's words (EQ-d5)", async () => {
    const few = "etcdserver: re-configuration failed due to not enough started members";
    const add = "member add etcd_3 --peer-urls https://10.10.1.13:2380";
    assert.equal(await book.refusal(add), `Error: ${few}\n`);
    assert.equal(await book.refusal(`member remove ${book.idOf("<etcd_1>")}`), `Error: ${few}\n`);
  });

  test("wipe, start → three healthy members again (EQ-d1)", async () => {
    const { code } = await book.node(2).type("mv /var/lib/etcd /var/lib/etcd.bak");
    assert.equal(code, 0);
    book.node(2).start(book.cluster, "existing");
    await book.untilHealthy(3);
    assert.equal(
      await book.print(0, "etcd-health.sh"),
      `${HEAD}member <etcd_0> is healthy: got healthy result from https://10.10.1.10:2379
member <etcd_1> is healthy: got healthy result from https://10.10.1.11:2379
member <etcd_2> is healthy: got healthy result from https://10.10.1.12:2379
cluster is healthy
`,
    );
  });
});
