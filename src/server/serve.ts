/**
 * The server: reads its options, starts a member, and ends it at a signal. Whatever goes wrong is
 * one line on stderr (of the log, if that goes there) and exit code 1; a command line that cannot
 * be read shows the usage and ends with 2.
 */
import { readFileSync } from "node:fs";
import { failureOf, type HostLogger, openLog, systemTimers } from "../host/index.ts";
import type { Logger } from "../seam/index.ts";
import { readCommandLine, readEnvironment, type Settings } from "./command-line.ts";
import { ConfigError, UsageError } from "./config-error.ts";
import type { ServerConfig } from "./config.ts";
import { endProcess } from "./end-process.ts";
import { USAGE } from "./help.ts";
import { keepWatchdogQuiet, notifySystemd } from "./notify-systemd.ts";
import { resolveConfig } from "./server-config.ts";
import type { RunningMember } from "./start-member.ts";
import { print, STDERR, STDOUT } from "./print.ts";
import { HOLDFAST_VERSION, serverVersionOf } from "./versions.ts";

/** From the first signal to the end, whatever hangs (FR-13). */
const STOP_MS_MAX = 4_500;

interface Plan {
  readonly config: ServerConfig;
  readonly warnings: readonly string[];
}

async function plan(parts: readonly string[]): Promise<Plan> {
  const { settings } = readCommandLine(parts);
  const early: string[] = [];
  const warn = (message: string, key: string): void => void early.push(`${message}: ${key}`);
  const given = await allSettings(settings, warn);
  const { config, warnings } = resolveConfig(given);
  return { config, warnings: [...early, ...warnings] };
}

/** A file replaces flags and environment; else the two join. */
async function allSettings(
  settings: Settings,
  warn: (message: string, key: string) => void,
): Promise<Settings> {
  const path = settings.get("config-file") ?? process.env["ETCD_CONFIG_FILE"] ?? "";
  if (path === "") {
    readEnvironment(process.env, settings, warn);
    return settings;
  }
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(`--config-file ${path} cannot be read: ${failureOf(error)}`);
  }
  const { readConfigFile } = await import("./config-file.ts");
  const given = readConfigFile(path, text, warn);
  const ignored = [...settings.keys()].filter(
    (name) => name !== "config-file" && name !== "compat",
  );
  for (const name of ignored) warn("ignored because there is a configuration file", `--${name}`);
  const compat = settings.get("compat");
  if (compat !== undefined) given.set("compat", compat);
  return given;
}

async function run(config: ServerConfig, logger: HostLogger): Promise<void> {
  logger.info("starting Holdfast", {
    "holdfast-version": HOLDFAST_VERSION,
    "etcd-version": serverVersionOf(config.minorVersion),
    "node-version": process.version,
    pid: process.pid,
    name: config.name,
    "data-dir": config.dataDirectory,
    "listen-client-urls": config.listenClientUrls,
  });
  // Only now: texts and refusals need not wait for everything to be loaded.
  const [{ MemberRemoved }, { startMember }] = await Promise.all([
    import("./start-member.ts"),
    import("./running-member.ts"),
  ]);
  const member = await startMember(config, logger);
  handleSignals(member, logger);
  void member.serving.then(() => {
    notifySystemd(process.env, "READY=1");
    keepWatchdogQuiet(process.env, process.pid, systemTimers);
    if (process.stdout.isTTY) print(STDOUT, firstSteps(config, member));
  });
  const failure = await member.failed;
  if (!(failure instanceof MemberRemoved)) {
    return await giveUp(logger, "the member cannot go on", failure);
  }
  // As etcd: nothing has failed, and a restart would change nothing.
  logger.warn("server error", { error: failure.message });
  logger.warn("data-dir used by this member must be removed", { "data-dir": config.dataDirectory });
  end(member, logger);
}

/** Closes the member and ends the process with 0, whatever hangs. */
function end(member: RunningMember, logger: HostLogger): void {
  setTimeout(() => endProcess(0), STOP_MS_MAX);
  void member
    .close()
    .then(async () => {
      logger.info("closed Holdfast member");
      await logger.flush();
      process.exit(0);
    })
    .catch(async (error: Error) => {
      logger.error("closing failed", { error: error.message });
      await logger.flush();
      endProcess(0);
    });
}

function handleSignals(member: RunningMember, logger: HostLogger): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) return endBySignal(signal);
    isStopping = true;
    logger.info("received signal; shutting down", { signal });
    end(member, logger);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

/** The kernel's own way, which waits for no thread. It passes process 1 by: that one exits. */
function endBySignal(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  endProcess(128 + (signal === "SIGINT" ? 2 : 15));
}

/**
 * The last line: of the log, or for people who do not read JSON. Where both would come out at the
 * same place, one is enough.
 */
async function giveUp(logger: HostLogger, what: string, error: unknown): Promise<never> {
  const reason = error instanceof Error ? error.message : String(error);
  const isExpected = error instanceof Error && EXPECTED.has(error.name);
  const isForPeople = process.stderr.isTTY && logger.isOnStderrAlone;
  // A stack belongs in a report of the bug, whoever reads it.
  if (!isForPeople || !isExpected) {
    logger.error(what, { error: reason, ...(isExpected ? {} : { stack: (error as Error).stack }) });
    await logger.flush();
  }
  const isTold = !process.stderr.isTTY && logger.isOnStderr && logger.isEnabled("error");
  if (!isTold) print(STDERR, `holdfast: ${reason.replaceAll("\n", " ")}\n`);
  endProcess(1);
}

/** Errors whose message says all that an operator needs. */
const EXPECTED: ReadonlySet<string> = new Set([
  "HostError",
  "ConfigError",
  "DataDirectoryError",
  "BackendFailed",
  "CorruptRecord",
  "DamagedTable",
  "LostRecord",
  "RecordsMissing",
  "WalCorrupt",
  "WalFailed",
]);

function firstSteps(config: ServerConfig, member: RunningMember): string {
  const url = member.clientUrls[0] ?? "";
  const port = /:(\d+)\/?$/.exec(url)?.[1];
  const isDefault = port === "2379" && url.startsWith("http://");
  const endpoint = isDefault ? "" : ` --endpoints=${url}`;
  return `
Holdfast ${HOLDFAST_VERSION} is ready.

  clients  ${member.clientUrls.join(", ")}
  data     ${config.dataDirectory}

Try:

  etcdctl${endpoint} put greeting hello
  etcdctl${endpoint} get greeting
  etcdctl${endpoint} watch greeting
  curl ${url}/health

Ctrl-C stops it; the data stays.

`;
}

function warnAll(logger: Logger, warnings: readonly string[]): void {
  for (const warning of warnings) logger.warn(warning);
}

/** Whoever started us is gone when its end of our stdin closes: then as at SIGTERM. */
function endWithStdin(): void {
  process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
  process.stdin.on("error", () => undefined);
  process.stdin.resume();
}

/** `parts` is the command line without the program; one that asks for a text is texts.ts's. */
export async function serve(parts: readonly string[]): Promise<void> {
  if (process.env["HOLDFAST_ENDS_WITH_STDIN"] === "1") endWithStdin();
  let planned: Plan;
  try {
    planned = await plan(parts);
  } catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof ConfigError)) throw error;
    const usage = error instanceof UsageError ? `\n${USAGE}` : "";
    print(STDERR, `holdfast: ${error.message}\n${usage}`);
    process.exit(error instanceof UsageError ? 2 : 1);
  }
  const { config, warnings } = planned;
  let logger: HostLogger;
  try {
    logger = openLog({
      level: config.logLevel,
      format: config.logFormat,
      outputs: config.logOutputs,
    });
  } catch (error) {
    print(STDERR, `holdfast: --log-outputs cannot be opened: ${(error as Error).message}\n`);
    process.exit(1);
  }
  warnAll(logger, warnings);
  process.on("uncaughtException", (error) => void giveUp(logger, "a bug ended the process", error));
  try {
    await run(config, logger);
  } catch (error) {
    await giveUp(logger, "the member could not be started", error);
  }
}
