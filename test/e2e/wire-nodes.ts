/**
 * Three hosts as the runbook of Wire's etcd describes them, on one: each has an address of its own,
 * certificates, an environment file as Kubespray writes it, and a `bin` with the tools and scripts
 * that the runbook calls. What the tools print is shown with the runbook's addresses and ports.
 */
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Pki } from "../harness/pki.ts";
import {
  cleanEnv,
  type CommandResult,
  type Exit,
  holdfastCommand,
  poll,
  run,
  Server,
  temporaryDirectory,
} from "../harness/process.ts";

/** The runbook's hosts are 10.10.1.10 to 12; these are on this machine alone. */
const NET = "127.10.1.";
const RUNBOOK_NET = "10.10.1.";
/** The etcdctl that its outputs come from. */
const COMPAT = "3.2";
const READY_MS_MAX = 30_000;

export interface Ports {
  readonly client: number;
  readonly peer: number;
}

export class WireNode {
  readonly name: string;
  readonly index: number;
  readonly directory: string;
  readonly #ports: Ports;
  readonly #env: Readonly<Record<string, string>>;
  readonly #bin: string;
  #server: Server | undefined;

  constructor(index: number, ports: Ports, pki: Pki) {
    this.index = index;
    this.name = `etcd_${index}`;
    this.#ports = ports;
    this.directory = temporaryDirectory(`wire-${index}`);
    this.#bin = join(this.directory, "bin");
    const pair = pki.issue(`node${index}`, [this.host]);
    const files = { ca: pki.caFile, cert: pair.certFile, key: pair.keyFile };
    this.#env = environmentOf(this, files);
    this.#writeTools(files);
  }

  get host(): string {
    return `${NET}${10 + this.index}`;
  }

  get peerUrl(): string {
    return `https://${this.host}:${this.#ports.peer}`;
  }

  get clientUrl(): string {
    return `https://${this.host}:${this.#ports.client}`;
  }

  /** Only the first node can also listen where the runbook's scripts ask, 127.0.0.1. */
  get localUrl(): string {
    return `https://127.0.0.1:${this.#ports.client}`;
  }

  get dataDirectory(): string {
    return join(this.directory, "var-lib-etcd");
  }

  get server(): Server {
    if (this.#server === undefined) throw new Error(`${this.name} was never started`);
    return this.#server;
  }

  /** `systemctl start etcd`; `cluster` is what the environment file says at the first start. */
  start(cluster: string, state: "new" | "existing"): void {
    const { program, args } = holdfastCommand();
    const env = {
      ...this.#env,
      ETCD_INITIAL_CLUSTER: cluster,
      ETCD_INITIAL_CLUSTER_STATE: state,
    };
    const child = spawn(program, args, { env: cleanEnv(env), stdio: ["ignore", "pipe", "pipe"] });
    const directory = { path: this.dataDirectory, isOurs: true };
    this.#server = new Server("holdfast", child, directory, this.#ports, this.host);
  }

  get isUp(): boolean {
    return this.#server !== undefined && !this.#server.hasExited;
  }

  /** Until its log says that it serves. */
  async untilReady(): Promise<void> {
    const { server } = this;
    await poll(
      `${this.name} ready`,
      () => {
        if (server.hasExited) throw new Error(`${this.name} ended:\n${server.tail()}`);
        return server.log.includes("ready to serve client requests");
      },
      READY_MS_MAX,
    );
  }

  /** `systemctl stop etcd`. */
  stop(): Promise<Exit> {
    return this.server.stop();
  }

  /** A line of the runbook in this node's shell; paths and addresses are put in place. */
  async type(line: string): Promise<CommandResult> {
    const words = line
      .replaceAll("/var/lib/etcd", this.dataDirectory)
      .replaceAll(RUNBOOK_NET, NET)
      .replaceAll(":2380", `:${this.#ports.peer}`);
    const env = { PATH: `${this.#bin}:${process.env["PATH"]}`, ETCDCTL_COMPAT: COMPAT };
    const result = await run("/bin/sh", ["-c", words], { env, deadlineMs: 60_000 });
    return { ...result, stdout: this.#shown(result.stdout), stderr: this.#shown(result.stderr) };
  }

  #shown(text: string): string {
    return text
      .replaceAll(NET, RUNBOOK_NET)
      .replaceAll(`:${this.#ports.client}`, ":2379")
      .replaceAll(`:${this.#ports.peer}`, ":2380");
  }

  /** The scripts as the runbook has them, but for where the certificates are. */
  #writeTools({ ca, cert, key }: { ca: string; cert: string; key: string }): void {
    mkdirSync(this.#bin, { recursive: true });
    const { program, args } = holdfastCommand();
    const write = (name: string, text: string): void => {
      const path = join(this.#bin, name);
      writeFileSync(path, `#!/usr/bin/env bash\n${text}\n`);
      chmodSync(path, 0o755);
    };
    write("etcdctl", `exec "${program}" ${args.map((arg) => `"${arg}"`).join(" ")} ctl "$@"`);
    write(
      "etcd-health.sh",
      `etcdctl --endpoints ${this.localUrl} --ca-file=${ca} --cert-file=${cert} --key-file=${key} --debug cluster-health`,
    );
    write(
      "etcdctl3.sh",
      `ETCDCTL_API=3 ETCDCTL_CACERT=${ca} ETCDCTL_CERT=${cert} ETCDCTL_KEY=${key} etcdctl --endpoints ${this.localUrl} "$@"`,
    );
  }
}

function environmentOf(
  node: WireNode,
  { ca, cert, key }: { ca: string; cert: string; key: string },
): Record<string, string> {
  const local = node.index === 0 ? [node.localUrl] : [];
  return {
    ETCD_NAME: node.name,
    ETCD_DATA_DIR: node.dataDirectory,
    ETCD_INITIAL_CLUSTER_TOKEN: "k8s_etcd",
    ETCD_LISTEN_CLIENT_URLS: [node.clientUrl, ...local].join(","),
    ETCD_ADVERTISE_CLIENT_URLS: node.clientUrl,
    ETCD_LISTEN_PEER_URLS: node.peerUrl,
    ETCD_INITIAL_ADVERTISE_PEER_URLS: node.peerUrl,
    ETCD_TRUSTED_CA_FILE: ca,
    ETCD_CERT_FILE: cert,
    ETCD_KEY_FILE: key,
    ETCD_CLIENT_CERT_AUTH: "true",
    ETCD_PEER_TRUSTED_CA_FILE: ca,
    ETCD_PEER_CERT_FILE: cert,
    ETCD_PEER_KEY_FILE: key,
    ETCD_PEER_CLIENT_CERT_AUTH: "true",
  };
}
