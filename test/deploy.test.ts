/**
 * The files under deploy/: what they name exists, and what can be checked without the systems that
 * run them is checked.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { readCommandLine, readEnvironment, type Settings } from "../src/server/command-line.ts";
import { FLAGS } from "../src/server/flag-table.ts";
import { resolveConfig } from "../src/server/server-config.ts";
import { ROOT, run, temporaryDirectory } from "./harness/process.ts";

const UNIT = "deploy/systemd/holdfast.service";
const DOCKERFILE = "deploy/container/Dockerfile";
const MANIFEST = "deploy/kubernetes/holdfast.yaml";

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

interface Pod {
  readonly containers: readonly {
    readonly args: readonly string[];
    readonly env: readonly { readonly name: string; readonly value?: string }[];
    readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
    readonly [probe: string]: unknown;
  }[];
  readonly volumes: readonly { readonly name: string }[];
  readonly securityContext: { readonly runAsUser: number };
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly serviceName?: string;
    readonly replicas?: number;
    readonly selector: unknown;
    readonly template?: { readonly metadata: { readonly labels: object }; readonly spec: Pod };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
}

function manifests(): Manifest[] {
  const documents = parseAllDocuments(textOf(MANIFEST));
  for (const { errors, warnings } of documents) assert.deepEqual([...errors, ...warnings], []);
  return documents.map((document) => document.toJS() as Manifest);
}

function ofKind(kind: string): Manifest[] {
  return manifests().filter((manifest) => manifest.kind === kind);
}

test("deploy: every --flag and ETCD_ variable in deploy/ exists, and does something", () => {
  const marks = new Map(FLAGS.map(({ name, mark }) => [name, mark]));
  const named: [string, string][] = [];
  const all = readdirSync(join(ROOT, "deploy"), { recursive: true }).map(
    (path) => `deploy/${path}`,
  );
  for (const path of all.filter((name) => statSync(join(ROOT, name)).isFile())) {
    const text = textOf(path);
    for (const [, name = ""] of text.matchAll(/\bETCD_([A-Z_]+)\b/g)) {
      named.push([path, name.toLowerCase().replaceAll("_", "-")]);
    }
    if (path !== MANIFEST) continue;
    for (const [, name = ""] of text.matchAll(/^\s+- --([a-z-]+)=/gm)) named.push([path, name]);
  }
  assert.ok(named.length > 35, String(named.length));
  for (const [path, name] of named) assert.equal(marks.get(name), "works", `${path}: ${name}`);
});

/** Whoever may ask for health and metrics is decided by the network. */
const PLAIN_METRICS = /^the scheme of http:\/\/[\d.]+:2381 is http: .* do not apply to it$/;

function checkWarnings(warnings: readonly string[]): void {
  assert.deepEqual(
    warnings.filter((warning) => !PLAIN_METRICS.test(warning)),
    [],
  );
}

test("deploy: the unit's environment is a configuration that is taken without a warning", () => {
  const lines = textOf("deploy/systemd/holdfast.env").match(/^[A-Z_]+=.*$/gm) ?? [];
  const env = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  const settings: Settings = new Map();
  readEnvironment(env, settings, (message, key) => assert.fail(`${message}: ${key}`));
  const { config, warnings } = resolveConfig(settings);
  checkWarnings(warnings);
  assert.equal(config.name, "m1");
  assert.equal(config.initialCluster.length, 3);
});

test("deploy: the unit is one that systemd takes", async (t) => {
  const directory = temporaryDirectory("unit");
  const path = join(directory, "holdfast.service");
  const text = textOf(UNIT);
  assert.match(text, /^ExecStart=\/opt\/holdfast\/bin\/holdfast$/m);
  assert.match(text, /^Type=notify\nNotifyAccess=all$/m);
  assert.match(text, /^Restart=on-failure$/m);
  writeFileSync(path, text.replace(/^ExecStart=.*$/m, "ExecStart=/bin/true"));
  const { code, stderr } = await run("systemd-analyze", ["verify", path]);
  if (code === null) return t.skip("no systemd-analyze here");
  assert.equal(stderr, "");
  assert.equal(code, 0);
});

test("deploy: the StatefulSet's arguments are a configuration that is taken without a warning", () => {
  const [set] = ofKind("StatefulSet");
  const pod = set?.spec.template?.spec as Pod;
  const [container] = pod.containers;
  assert.ok(container !== undefined);
  const values = new Map([
    ["POD_NAME", "holdfast-1"],
    ["POD_NAMESPACE", "prod"],
  ]);
  const expand = (text: string): string =>
    text.replaceAll(/\$\((\w+)\)/g, (_, name: string) => {
      const value = values.get(name);
      assert.ok(value !== undefined, name);
      return value;
    });
  for (const { name, value } of container.env) {
    if (value === undefined) assert.ok(values.has(name), name);
    else values.set(name, expand(value));
  }
  const { settings } = readCommandLine(container.args.map(expand));
  const { config, warnings } = resolveConfig(settings);
  checkWarnings(warnings);
  assert.deepEqual(
    config.initialCluster.map(({ name }) => name),
    Array.from({ length: set?.spec.replicas ?? 0 }, (_, at) => `${set?.metadata.name}-${at}`),
  );
  const [own] = config.initialCluster.filter(({ name }) => name === "holdfast-1");
  assert.deepEqual(own?.peerUrls, [
    "https://holdfast-1.holdfast-peers.prod.svc.cluster.local:2380",
  ]);
});

test("deploy: what the manifests name of each other is there, and the probes ask pages that exist", () => {
  const [set] = ofKind("StatefulSet");
  const template = set?.spec.template;
  const pod = template?.spec as Pod;
  const [container] = pod.containers;
  assert.ok(container !== undefined && template !== undefined);
  const services = ofKind("Service").map(({ metadata }) => metadata.name);
  assert.ok(services.includes(set?.spec.serviceName ?? ""));
  for (const { spec } of ofKind("Service"))
    assert.deepEqual(spec.selector, template.metadata.labels);
  for (const { spec } of [...ofKind("PodDisruptionBudget"), ...ofKind("StatefulSet")]) {
    assert.deepEqual(spec.selector, { matchLabels: template.metadata.labels });
  }
  const claims = set?.spec.volumeClaimTemplates ?? [];
  const volumes = [
    ...pod.volumes.map(({ name }) => name),
    ...claims.map(({ metadata }) => metadata.name),
  ];
  for (const { name } of container.volumeMounts) assert.ok(volumes.includes(name), name);
  const mounts = container.volumeMounts.map(({ mountPath }) => mountPath);
  for (const arg of container.args) {
    const path = /^--[a-z-]*(?:file|dir)=(.*)$/.exec(arg)?.[1];
    if (path === undefined) continue;
    assert.ok(
      mounts.some((mount) => path.startsWith(`${mount}/`)),
      arg,
    );
  }
  const pages = { startupProbe: "/livez", livenessProbe: "/livez", readinessProbe: "/readyz" };
  for (const [probe, path] of Object.entries(pages)) {
    const { httpGet } = container[probe] as { httpGet: { path: string; port: string } };
    assert.equal(httpGet.path, path, probe);
    const port = container.ports.find(({ name }) => name === httpGet.port)?.containerPort;
    assert.ok(container.args.includes(`--listen-metrics-urls=http://0.0.0.0:${port}`), probe);
  }
});

test("deploy: the container file: what it copies is there, its user is the manifest's, its Node new enough", () => {
  const text = textOf(DOCKERFILE);
  const stages = [...text.matchAll(/^FROM node:(\d+)-/gm)].map(([, major]) => Number(major));
  assert.deepEqual(stages, [24, 24]);
  for (const [, list = ""] of text.matchAll(/^COPY (?!--from)(.*) \S+$/gm)) {
    for (const path of list.split(" ")) assert.ok(existsSync(join(ROOT, path)), path);
  }
  const [set] = ofKind("StatefulSet");
  const user = set?.spec.template?.spec.securityContext.runAsUser;
  assert.match(text, new RegExp(`^USER ${user}:${user}$`, "m"));
  assert.match(text, /^ENTRYPOINT \["holdfast"\]$/m);
});
