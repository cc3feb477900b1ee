/** What commands of the second API work with: endpoints asked in turn, the lines of `--debug`. */
import {
  type CallOptions,
  type Client,
  type ClientError,
  connect,
  type MemberListResponse,
  type TlsOptions,
} from "../../client/index.ts";
import type { Context } from "../context.ts";
import { CtlExit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { goDialText } from "../http-get.ts";
import { readPem } from "../open-client.ts";

const ENDPOINTS_DEFAULT = "http://127.0.0.1:2379,http://127.0.0.1:4001";
/** The connection could not be made, or no endpoint answered. */
const EXIT_CLUSTER_UNAVAILABLE = 2;

export interface V2Session {
  readonly client: Client;
  /** URLs. */
  readonly endpoints: readonly string[];
  readonly tls: TlsOptions | undefined;
  /** For one member. */
  readonly timeoutMs: number;
  /** For the command. */
  readonly totalTimeoutMs: number;
  /** A line of stderr with --debug. */
  readonly debug: (line: string) => void;
}

/** Its client must be closed. */
export async function openV2(context: Context, flags: Flags): Promise<V2Session> {
  const { io } = context;
  const given = (flag: string): string => {
    const name = flag.toUpperCase().replaceAll("-", "_");
    return flags.text(flag) || (io.env[`ETCDCTL_${name}`] ?? "");
  };
  const tls = tlsOf({
    ca: given("ca-file") || given("cacert"),
    cert: given("cert-file") || given("cert"),
    key: given("key-file") || given("key"),
    insecureSkipVerify: flags.on("insecure-skip-tls-verify"),
  });
  const listed = flags.isGiven("endpoints") ? flags.list("endpoints").join(",") : "";
  const text =
    listed ||
    given("endpoint") ||
    given("peers") ||
    (io.env["ETCDCTL_ENDPOINTS"] ?? "") ||
    ENDPOINTS_DEFAULT;
  const user = await userOf(context, given("username"));
  const options = { endpoints: text.split(",").map((one) => one.trim()), tls };
  const client = connect(user === undefined ? options : { ...options, user });
  const isDebug = flags.on("debug");
  return {
    client,
    endpoints: client.endpoints,
    tls,
    timeoutMs: flags.durationMs("timeout"),
    totalTimeoutMs: flags.durationMs("total-timeout"),
    debug: (line) => {
      if (isDebug) context.err(`${line}\n`);
    },
  };
}

function tlsOf(names: {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly insecureSkipVerify: boolean;
}): TlsOptions | undefined {
  const { ca, cert, key, insecureSkipVerify } = names;
  if (`${ca}${cert}${key}` === "" && !insecureSkipVerify) return undefined;
  const read = (path: string): Buffer | undefined => (path === "" ? undefined : readPem(path));
  return { ca: read(ca), cert: read(cert), key: read(key), insecureSkipVerify };
}

async function userOf(
  { io }: Context,
  text: string,
): Promise<{ readonly name: string; readonly password: string } | undefined> {
  if (text === "") return undefined;
  const colon = text.indexOf(":");
  if (colon !== -1) return { name: text.slice(0, colon), password: text.slice(colon + 1) };
  return { name: text, password: await io.readPassword("Password: ") };
}

/** No endpoint answered; `reasons` are theirs, in order. */
export class AllFailed extends Error {
  readonly reasons: readonly string[];

  constructor(reasons: readonly string[]) {
    const told = reasons.map((reason, at) => `; error #${at}: ${reason}\n`).join("");
    super(`client: etcd cluster is unavailable or misconfigured${told}`);
    this.reasons = reasons;
  }
}

/** The members as the first endpoint that answers knows them, and which one that was. */
export async function listMembers(
  session: V2Session,
): Promise<{ readonly list: MemberListResponse; readonly endpoint: string }> {
  const reasons: string[] = [];
  for (const endpoint of session.endpoints) {
    session.debug(`cURL Command: curl -X GET ${endpoint}/v2/members`);
    try {
      const options: CallOptions = { endpoint, failFast: true, timeoutMs: session.timeoutMs };
      const list = await session.client.cluster.memberList({ ...options, linearizable: false });
      return { list, endpoint };
    } catch (error) {
      reasons.push(reasonOf(endpoint, error as ClientError));
    }
  }
  throw new AllFailed(reasons);
}

function reasonOf(endpoint: string, error: ClientError): string {
  const text = `${error.message} ${error.detail ?? ""}`;
  const [code = ""] = /\bE[A-Z_]{4,}\b/.exec(text) ?? [];
  const isRefused = /refused/.test(text);
  const address = endpoint.replace(/^[a-z]+:\/\//, "");
  return goDialText(address, isRefused ? "ECONNREFUSED" : code) ?? error.message;
}

/** Ends the command as etcdctl does when no endpoint answered. */
export function tellAllFailed(context: Context, error: unknown, exitCode?: number): CtlExit {
  const failure = error as Error;
  context.err(`Error:  ${failure.message}\n`);
  if (failure instanceof AllFailed) {
    const detail = failure.reasons.map((reason, at) => `error #${at}: ${reason}\n`).join("");
    context.err(`${detail}\n`);
  }
  return new CtlExit(exitCode ?? EXIT_CLUSTER_UNAVAILABLE);
}
