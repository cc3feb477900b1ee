/** `endpoint health`, `status` and `hashkv` (CT-14 to CT-16): every endpoint at once. */
import { type AlarmKind, type Client, isRefusal } from "../../client/index.ts";
import { type Command, countFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CLUSTER_FLAG, endpointsOf } from "../endpoint-list.ts";
import { CtlError, CtlExit, Exit } from "../exit.ts";
import { formatDuration } from "../go-values.ts";
import {
  type At,
  type EndpointHealth,
  healthLine,
  printHashKv,
  printHealth,
  printStatus,
} from "../print/endpoints.ts";
import { alarmName } from "../print/maintenance.ts";

export const endpointHealth: Command = {
  usage: "[options]",
  description:
    "Each endpoint answers a linearizable read within --command-timeout and no alarm is raised:\n" +
    "then it is healthy. Exit code 1 when one is not.",
  examples: [{ line: "etcdctl endpoint health --cluster -w table", says: "every member" }],
  flags: [CLUSTER_FLAG],
  run: async (context, _, flags) => {
    const endpoints = await endpointsOf(context, flags);
    const client = await context.client();
    const found = await Promise.all(endpoints.map((endpoint) => probe(context, client, endpoint)));
    if (context.format === "simple") tellHealth(context, found);
    else context.print(printHealth(found, context));
    if (found.some(({ isHealthy }) => !isHealthy)) throw new CtlError("unhealthy cluster");
  },
};

/** What is wrong goes to stderr; up to 3.4 everything did. */
function tellHealth(context: Context, found: readonly EndpointHealth[]): void {
  for (const one of found) {
    if (one.isHealthy && context.minor > 4) context.out(healthLine(one));
    else context.err(healthLine(one));
  }
}

async function probe(
  { minor, timeoutMs }: Context,
  client: Client,
  endpoint: string,
): Promise<EndpointHealth> {
  const begin = performance.now();
  const left = { endpoint, timeoutMs };
  let error = "";
  try {
    await client.kv.get("health", left);
  } catch (failure) {
    // Who may not read that key was told so after the members had agreed on the state.
    if (!isRefusal(failure, "PermissionDenied")) error = (failure as Error).message;
  }
  const took = formatDuration(performance.now() - begin);
  // Up to 3.4 nobody asked for alarms.
  if (error === "" && minor > 4) {
    left.timeoutMs = Math.max(1, timeoutMs - (performance.now() - begin));
    error = await alarmsAt(client, left);
  }
  return { endpoint, isHealthy: error === "", took, error };
}

async function alarmsAt(
  client: Client,
  options: { endpoint: string; timeoutMs: number },
): Promise<string> {
  try {
    const { alarms } = await client.maintenance.alarms("none", options);
    return alarms.length === 0 ? "" : alarmText(alarms.map(({ alarm }) => alarm));
  } catch {
    return "Unable to fetch the alarm list";
  }
}

function alarmText(alarms: readonly AlarmKind[]): string {
  return `Active Alarm(s): ${alarms.map((alarm) => `${alarmName(alarm)} `).join("")}`;
}

export const endpointStatus: Command = {
  usage: "[options]",
  description:
    "Version, size, role and raft position of each endpoint. Exit code 1 when one did not answer;\n" +
    "`holdfast health` says what it means.",
  examples: [{ line: "etcdctl endpoint status --cluster -w table", says: "every member" }],
  flags: [CLUSTER_FLAG],
  run: async (context, _, flags) => {
    const { found, failure } = await askAll(context, await endpointsOf(context, flags), {
      what: "status",
      ask: (client, endpoint, options) => client.at(endpoint).status(options),
    });
    context.print(printStatus(found, context));
    if (failure !== undefined) throw new CtlExit(Exit.ERROR);
  },
};

export const endpointHashKv: Command = {
  usage: "[options]",
  description:
    "A hash of all keys and their history. Members that hold the same data print the same number;\n" +
    "give --rev to compare members that are being written to.",
  examples: [
    { line: "etcdctl endpoint hashkv --cluster", says: "do all members hold the same?" },
    { line: "etcdctl endpoint hashkv --cluster --rev=4711", says: "as of one revision" },
  ],
  flags: [CLUSTER_FLAG, countFlag("rev", 0, "up to this revision (default: the newest)")],
  run: async (context, _, flags) => {
    const revision = flags.count("rev");
    const { found, failure } = await askAll(context, await endpointsOf(context, flags), {
      what: "hash",
      ask: (client, endpoint, options) => client.at(endpoint).hashKv(revision, options),
    });
    context.print(printHashKv(found, context));
    if (failure !== undefined) throw new CtlError(failure.message);
  },
};

interface Question<T> {
  readonly what: string;
  readonly ask: (
    client: Client,
    endpoint: string,
    options: { readonly timeoutMs: number },
  ) => Promise<T>;
}

/** In the order of the endpoints; those that fail are told on stderr. */
async function askAll<T>(
  context: Context,
  endpoints: readonly string[],
  question: Question<T>,
): Promise<{ readonly found: readonly At<T>[]; readonly failure: Error | undefined }> {
  const client = await context.client();
  const { timeoutMs } = context;
  const results = await Promise.allSettled(
    endpoints.map((endpoint) => question.ask(client, endpoint, { timeoutMs })),
  );
  const found: At<T>[] = [];
  let failure: Error | undefined;
  results.forEach((result, at) => {
    const endpoint = endpoints[at] as string;
    if (result.status === "fulfilled") return void found.push({ endpoint, answer: result.value });
    failure = result.reason as Error;
    const { what } = question;
    context.err(`Failed to get the ${what} of endpoint ${endpoint} (${failure.message})\n`);
  });
  return { found, failure };
}
