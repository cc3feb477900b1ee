/** TLS and users: what connections of the client library show, check and renew. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { type Client, ClientError, connect, isRefusal } from "../../src/client/index.ts";
import { Pki } from "../harness/pki.ts";
import { etcdctl, freePort, hasEtcd, type Kind, type Server, start } from "../harness/process.ts";

async function failureOf(client: Client): Promise<string> {
  const error: unknown = await client.kv.get("k", { failFast: true }).then(
    () => assert.fail("it connected"),
    (reason: unknown) => reason,
  );
  client.close();
  assert.ok(error instanceof ClientError);
  return error.message;
}

function tlsScenario(kind: Kind): void {
  test(`${kind}: TLS with a client certificate; refused without, and with others`, async () => {
    const pki = new Pki();
    const [server, client] = [pki.issue("server"), pki.issue("client")];
    const flags = [
      ...["--cert-file", server.certFile, "--key-file", server.keyFile],
      ...["--trusted-ca-file", pki.caFile, "--client-cert-auth"],
    ];
    const url = (port: number): string => `https://127.0.0.1:${port}`;
    const ports = await freePorts();
    const urls = ["--listen-client-urls", url(ports.client)];
    urls.push("--advertise-client-urls", url(ports.client));
    const options = { ports, flags: [...flags, ...urls], isReadyAwaited: false };
    const running = await start(kind, options);
    try {
      const ca = readFileSync(pki.caFile);
      const cert = readFileSync(client.certFile);
      const key = readFileSync(client.keyFile);
      const endpoints = [`127.0.0.1:${ports.client}`];
      const good = connect({ endpoints, tls: { ca, cert, key }, timeoutMs: 60_000 });
      await good.kv.put("k", "over TLS");
      assert.deepEqual(good.endpoints, [url(ports.client)]);
      good.close();
      const named = connect({ endpoints, tls: { ca, cert, key, serverName: "localhost" } });
      assert.equal((await named.kv.get("k")).kvs[0]?.value.toString(), "over TLS");
      named.close();
      const blind = connect({ endpoints, tls: { cert, key, insecureSkipVerify: true } });
      assert.equal((await blind.kv.get("k")).count, 1);
      blind.close();
      assert.match(await failureOf(connect({ endpoints, tls: { cert, key } })), /CERT|SIGNATURE/);
      const other = connect({ endpoints, tls: { ca, cert, key, serverName: "elsewhere" } });
      assert.match(await failureOf(other), /ALTNAME|does not match/i);
      assert.match(await failureOf(connect({ endpoints, tls: { ca } })), /./);
    } finally {
      await running.dispose();
    }
  });
}

async function freePorts(): Promise<{ client: number; peer: number }> {
  return { client: await freePort(), peer: await freePort() };
}

describe("client library over TLS", () => {
  tlsScenario("holdfast");
  if (hasEtcd()) tlsScenario("etcd");
});

describe("client library with users", { skip: !hasEtcd() }, () => {
  let server: Server;
  const user = { name: "root", password: "secret" };

  before(async () => {
    server = await start("etcd");
    for (const words of [
      ["user", "add", "root:secret"],
      ["user", "add", "guest:guest"],
      ["user", "grant-role", "root", "root"],
      ["auth", "enable"],
    ]) {
      const result = await etcdctl(server, words);
      assert.equal(result.code, 0, result.stderr);
    }
  });

  test("etcd: a user is logged in, refused and allowed; tokens are renewed", async () => {
    const client = connect({ endpoints: [server.address], user, timeoutMs: 30_000 });
    const guest = connect({
      endpoints: [server.address],
      user: { name: "guest", password: "guest" },
    });
    try {
      await client.kv.put("k", "1");
      await assert.rejects(guest.kv.get("k"), (error) => isRefusal(error, "PermissionDenied"));
      await assert.rejects(guest.watch("k").next(), (error) =>
        isRefusal(error, "PermissionDenied"),
      );
      const stranger = connect({ endpoints: [server.address], user: { ...user, password: "x" } });
      await assert.rejects(stranger.kv.get("k"), (error) => isRefusal(error, "AuthFailed"));
      stranger.close();
      const nobody = connect({ endpoints: [server.address] });
      await assert.rejects(nobody.kv.get("k"), (error) => isRefusal(error, "UserEmpty"));
      nobody.close();
      const watch = client.watch("k");
      await watch.created;
      // Its tokens live in memory: a server that was started again knows none of them.
      const { ports, dataDirectory } = server;
      await server.kill();
      server = await start("etcd", { ports, dataDirectory });
      await client.kv.put("k", "2");
      const { value } = await watch.next();
      assert.equal(value?.events[0]?.kv.value.toString(), "2");
      const session = await client.session({ ttlSeconds: 5 });
      await new Promise((resolve) => {
        client.lease.keepAlive(session.lease, { onRenewed: resolve });
      });
      await session.close();
    } finally {
      client.close();
      guest.close();
      await server.dispose();
    }
  });
});
