/** What was learned of each endpoint, in every format. */
import type { HashKvResponse, StatusResponse } from "../../client/index.ts";
import { humanBytes } from "../../base/index.ts";
import type { Printable } from "../context.ts";
import { headerFields, headerJson } from "./header.ts";
import { type GoJson, goJson, omitEmpty } from "./json.ts";
import type { MemberStyle } from "./members.ts";
import { quote } from "./quote.ts";
import { table } from "./table.ts";

/** An endpoint as it was given, and its answer. */
export interface At<T> {
  readonly endpoint: string;
  readonly answer: T;
}

/** `error` is "" for a healthy one; `took` as Go prints durations. */
export interface EndpointHealth {
  readonly endpoint: string;
  readonly isHealthy: boolean;
  readonly took: string;
  readonly error: string;
}

export function printStatus(found: readonly At<StatusResponse>[], style: MemberStyle): Printable {
  const columns = STATUS_COLUMNS.filter((column) => isColumnIn(column, style.minor));
  const rows = (): string[][] => found.map((one) => columns.map((column) => column.cell(one)));
  return {
    simple: () => lines(rows()),
    json: () =>
      arrayJson(found, { name: "Status", minor: style.minor }, (one) =>
        statusJson(one, style.minor),
      ),
    fields: () => found.map((one) => statusFields(one, style)).join(""),
    table: () =>
      table(
        columns.map(({ name }) => name),
        rows(),
      ),
  };
}

export function printHashKv(found: readonly At<HashKvResponse>[], style: MemberStyle): Printable {
  const hasRevision = style.minor >= 6;
  const rows = (): string[][] =>
    found.map(({ endpoint, answer: { hash, hashRevision } }) => {
      return [endpoint, `${hash}`, ...(hasRevision ? [`${hashRevision}`] : [])];
    });
  const names = ["endpoint", "hash", ...(hasRevision ? ["hash_revision"] : [])];
  return {
    simple: () => lines(rows()),
    json: () =>
      arrayJson(found, { name: "HashKV", minor: style.minor }, (one) =>
        hashKvJson(one, style.minor),
      ),
    fields: () => found.map((one) => hashKvFields(one, style)).join(""),
    table: () => table(names, rows()),
  };
}

/** Its simple format goes to two streams, so the command writes that. */
export function printHealth(found: readonly EndpointHealth[], { minor }: MemberStyle): Printable {
  return {
    simple: () => found.map((one) => healthLine(one)).join(""),
    json: () =>
      `${goJson(
        list(
          found.map(({ endpoint, isHealthy, took, error }) => {
            const fields = { endpoint, health: isHealthy, took };
            return error === "" ? fields : { ...fields, error };
          }),
          minor,
        ),
      )}\n`,
    fields: () =>
      found
        .map(({ endpoint, isHealthy, took, error }) => {
          const head = `"Endpoint" : ${quote(endpoint)}\n"Health" : ${isHealthy}\n`;
          return `${head}"Took" : ${took}\n"Error" : ${error}\n\n`;
        })
        .join(""),
    table: () =>
      table(
        ["endpoint", "health", "took", "error"],
        found.map(({ endpoint, isHealthy, took, error }) => {
          return [endpoint, `${isHealthy}`, took, error];
        }),
      ),
  };
}

export function healthLine({ endpoint, took, error }: EndpointHealth): string {
  return error === ""
    ? `${endpoint} is healthy: successfully committed proposal: took = ${took}\n`
    : `${endpoint} is unhealthy: failed to commit proposal: ${error}\n`;
}

interface Column {
  readonly name: string;
  /** The first and the last etcdctl that show it. */
  readonly since?: number;
  readonly cell: (one: At<StatusResponse>) => string;
}

const STATUS_COLUMNS: readonly Column[] = [
  { name: "endpoint", cell: ({ endpoint }) => endpoint },
  { name: "ID", cell: ({ answer }) => answer.header.memberId.toString(16) },
  { name: "version", cell: ({ answer }) => answer.version },
  { name: "storage version", since: 6, cell: ({ answer }) => answer.storageVersion },
  { name: "db size", cell: ({ answer }) => humanBytes(answer.dbSizeBytes) },
  { name: "in use", since: 6, cell: ({ answer }) => humanBytes(answer.dbSizeInUseBytes) },
  { name: "percentage not in use", since: 6, cell: ({ answer }) => `${freePercent(answer)}%` },
  { name: "quota", since: 6, cell: ({ answer }) => humanBytes(answer.dbSizeQuotaBytes) },
  { name: "is leader", cell: ({ answer }) => String(answer.leader === answer.header.memberId) },
  { name: "is learner", since: 4, cell: ({ answer }) => String(answer.isLearner) },
  { name: "raft term", cell: ({ answer }) => String(answer.raftTerm) },
  { name: "raft index", cell: ({ answer }) => String(answer.raftIndex) },
  { name: "raft applied index", since: 4, cell: ({ answer }) => String(answer.raftAppliedIndex) },
  { name: "errors", since: 4, cell: ({ answer }) => answer.errors.join(", ") },
  {
    name: "downgrade target version",
    since: 6,
    cell: ({ answer }) => answer.downgradeTargetVersion,
  },
  { name: "downgrade enabled", since: 6, cell: ({ answer }) => String(answer.downgradeEnabled) },
];

function isColumnIn({ since = 0 }: Column, minor: number): boolean {
  return minor >= since;
}

function freePercent({ dbSizeBytes, dbSizeInUseBytes }: StatusResponse): number {
  return dbSizeBytes === 0 ? 0 : 100 - Math.floor((dbSizeInUseBytes * 100) / dbSizeBytes);
}

function lines(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.join(", ")}\n`).join("");
}

/** Go writes a slice that was never made as null; before 3.6 etcdctl made one first. */
function list(items: readonly GoJson[], minor: number): GoJson {
  return items.length === 0 && minor >= 6 ? null : items;
}

function arrayJson<T>(
  found: readonly At<T>[],
  { name, minor }: { readonly name: string; readonly minor: number },
  fields: (answer: T) => GoJson,
): string {
  const items = found.map(({ endpoint, answer }) => {
    return { Endpoint: endpoint, [name]: fields(answer) };
  });
  return `${goJson(list(items, minor))}\n`;
}

function statusJson(answer: StatusResponse, minor: number): GoJson {
  const fields = omitEmpty({
    header: headerJson(answer.header),
    version: answer.version,
    dbSize: answer.dbSizeBytes,
    leader: answer.leader,
    raftIndex: answer.raftIndex,
    raftTerm: answer.raftTerm,
    raftAppliedIndex: answer.raftAppliedIndex,
    errors: answer.errors,
    dbSizeInUse: answer.dbSizeInUseBytes,
    isLearner: answer.isLearner,
    storageVersion: minor >= 6 ? answer.storageVersion : "",
    dbSizeQuota: minor >= 6 ? answer.dbSizeQuotaBytes : 0,
  });
  // Servers that know of storage versions say something of downgrades, if only "none".
  if (answer.storageVersion === "" || minor < 6) return fields;
  const { downgradeEnabled: enabled, downgradeTargetVersion: targetVersion } = answer;
  return { ...fields, downgradeInfo: omitEmpty({ enabled, targetVersion }) };
}

function statusFields({ endpoint, answer }: At<StatusResponse>, style: MemberStyle): string {
  const isNew = style.minor >= 6;
  const since6 = (...rows: string[]): string[] => (isNew ? rows : []);
  return [
    headerFields(answer.header, style.isHex && isNew, style.minor).trimEnd(),
    `"Version" : ${quote(answer.version)}`,
    ...since6(`"StorageVersion" : ${quote(answer.storageVersion)}`),
    `"DBSize" : ${answer.dbSizeBytes}`,
    ...since6(
      `"DBSizeInUse" : ${answer.dbSizeInUseBytes}`,
      `"DBSizeQuota" : ${answer.dbSizeQuotaBytes}`,
    ),
    `"Leader" : ${answer.leader}`,
    `"IsLearner" : ${answer.isLearner}`,
    `"RaftIndex" : ${answer.raftIndex}`,
    `"RaftTerm" : ${answer.raftTerm}`,
    `"RaftAppliedIndex" : ${answer.raftAppliedIndex}`,
    `"Errors" : [${answer.errors.join(" ")}]`,
    `"Endpoint" : ${quote(endpoint)}`,
    ...since6(
      `"DowngradeTargetVersion" : ${quote(answer.downgradeTargetVersion)}`,
      `"DowngradeEnabled" : ${answer.downgradeEnabled}`,
    ),
    "\n",
  ].join("\n");
}

function hashKvJson(answer: HashKvResponse, minor: number): GoJson {
  return omitEmpty({
    header: headerJson(answer.header),
    hash: answer.hash,
    compact_revision: answer.compactRevision,
    hash_revision: minor >= 6 ? answer.hashRevision : 0,
  });
}

function hashKvFields({ endpoint, answer }: At<HashKvResponse>, style: MemberStyle): string {
  const isNew = style.minor >= 6;
  return (
    headerFields(answer.header, style.isHex && isNew, style.minor) +
    `"Endpoint" : ${quote(endpoint)}\n"Hash" : ${answer.hash}\n` +
    (isNew ? `"HashRevision" : ${answer.hashRevision}\n` : "") +
    "\n"
  );
}
