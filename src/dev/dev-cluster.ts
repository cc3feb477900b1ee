/** `holdfast dev`: a cluster of child processes on this machine, until it is told to stop. */
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { ChildMember } from "./child-member.ts";
import { KEYS_HELP, KeyReader, type Command } from "./keys.ts";
import { type MemberStatus, StatusClient } from "./member-status.ts";
import { type DevOptions, readDevOptions, Told } from "./options.ts";
import { makePlan, type Plan, PlanError } from "./plan.ts";
import { leaderOf, type Row, Screen } from "./screen.ts";

const LOOK_PERIOD_MS = 500;
/** A cluster that has not found a leader by then is told so, once. */
const READY_MS_MAX = 30_000;

/** Runs until Ctrl-C or SIGTERM. Resolves with the exit code. */
export async function runDev(parts: readonly string[]): Promise<number> {
  let options: DevOptions;
  let plan: Plan;
  try {
    options = readDevOptions(parts, (text) => void process.stdout.write(text));
    plan = makePlan(options);
  } catch (error) {
    if (error instanceof Told) return error.exitCode;
    if (!(error instanceof PlanError)) throw error;
    process.stderr.write(`holdfast dev: ${error.message}\n`);
    return 1;
  }
  const taken = await firstTakenPort(plan);
  if (taken !== undefined) {
    remove(plan);
    process.stderr.write(`holdfast dev: port ${taken} is taken; choose another --base-port\n`);
    return 1;
  }
  return await new DevCluster(plan, options.killLeaderEveryMs).run();
}

class DevCluster {
  readonly #plan: Plan;
  readonly #killLeaderEveryMs: number;
  readonly #screen = new Screen(process.stdout, process.env);
  readonly #keys = new KeyReader();
  readonly #members: ChildMember[];
  readonly #clients = new Map<string, StatusClient>();
  readonly #statuses = new Map<string, MemberStatus | undefined>();
  readonly #stopped = Promise.withResolvers<number>();
  readonly #hasKeys = process.stdin.isTTY === true && process.stdout.isTTY === true;
  #isReady = false;
  #isStopping = false;

  constructor(plan: Plan, killLeaderEveryMs: number) {
    this.#plan = plan;
    this.#killLeaderEveryMs = killLeaderEveryMs;
    for (const { name, clientPort } of plan.members) {
      this.#clients.set(name, new StatusClient(clientPort));
    }
    this.#members = plan.members.map(
      (member) => new ChildMember(member, (child, how) => this.#onExit(child, how)),
    );
  }

  async run(): Promise<number> {
    const { directory, isTemporary, members } = this.#plan;
    const kept = isTemporary ? "removed at the end" : "kept";
    this.#screen.say(`starting ${members.length} members; data and logs in ${directory} (${kept})`);
    const stop = (): void => this.#stop(0);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
    this.#readKeys();
    for (const member of this.#members) member.start();
    const looking = this.#look();
    const killing =
      this.#killLeaderEveryMs === 0
        ? undefined
        : setInterval(() => this.#killLeader(), this.#killLeaderEveryMs);
    const code = await this.#stopped.promise;
    clearInterval(killing);
    this.#releaseKeys();
    await looking;
    for (const client of this.#clients.values()) client.close();
    await Promise.all(this.#members.map((member) => member.stop()));
    remove(this.#plan);
    this.#screen.say("stopped");
    return code;
  }

  #stop(code: number): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#screen.say("stopping");
    this.#stopped.resolve(code);
  }

  async #look(): Promise<void> {
    const giveUpAtMs = performance.now() + READY_MS_MAX;
    let isSlowTold = false;
    while (!this.#isStopping) {
      await Promise.all(
        this.#members.map(async (member) => {
          const isUp = member.state === "running";
          const status = isUp ? await this.#clients.get(member.name)?.ask() : undefined;
          this.#statuses.set(member.name, status);
        }),
      );
      if (this.#isStopping) return;
      const rows = this.#rows();
      const areAllUp = rows.every(({ status }) => status !== undefined && status.leader !== 0n);
      if (!this.#isReady && areAllUp) this.#tellReady();
      if (!this.#isReady && !isSlowTold && performance.now() > giveUpAtMs) {
        isSlowTold = true;
        this.#screen.say(`no leader yet; see the logs in ${this.#plan.directory}`);
      }
      this.#screen.show(rows, this.#footer());
      await Promise.race([
        this.#stopped.promise,
        new Promise((resolve) => setTimeout(resolve, LOOK_PERIOD_MS)),
      ]);
    }
  }

  #rows(): Row[] {
    return this.#members.map((member) => ({
      name: member.name,
      pid: member.pid,
      clientPort: member.plan.clientPort,
      state: member.state,
      status: member.state === "running" ? this.#statuses.get(member.name) : undefined,
    }));
  }

  #footer(): string {
    if (!this.#hasKeys) return "Ctrl-C stops the cluster";
    const { pending } = this.#keys;
    return pending === undefined ? KEYS_HELP : `${pending} which member? 1-${this.#members.length}`;
  }

  #tellReady(): void {
    this.#isReady = true;
    const pids = this.#members.map(({ name, pid }) => `${name} ${pid}`).join(", ");
    this.#screen.say(
      `ready; pids: ${pids}\n\n  export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=${this.#plan.endpoints}\n` +
        "  etcdctl put greeting hello\n",
    );
  }

  #onExit(member: ChildMember, how: string): void {
    if (this.#isStopping) return;
    if (member.isEndWanted) {
      this.#screen.say(`${member.name} is down (${how})`);
      return;
    }
    this.#screen.say(`${member.name} ended by itself (${how}): ${member.lastWords}`);
    // Before the cluster was ever there it is a mistake in the flags, or in the directory.
    if (!this.#isReady) this.#stop(1);
  }

  #killLeader(): void {
    const leader = leaderOf(this.#rows());
    const member = this.#members.find(({ name }) => name === leader?.name);
    if (member === undefined || this.#isStopping) return;
    this.#screen.say(`killing the leader, ${member.name}`);
    member.kill();
    if (this.#killLeaderEveryMs === 0) return;
    setTimeout(() => {
      if (!this.#isStopping) this.#start(member);
    }, this.#killLeaderEveryMs / 2);
  }

  #start(member: ChildMember): void {
    if (member.state === "frozen") return member.thaw();
    if (member.state === "running") return;
    member.start();
    this.#screen.say(`${member.name} is started again (pid ${member.pid})`);
  }

  #obey(command: Command): void {
    if (command.kind === "stop") return this.#stop(0);
    if (command.kind === "killLeader") return this.#killLeader();
    const member = this.#members[command.member - 1];
    if (member === undefined) return;
    if (command.verb === "kill") member.kill();
    else if (command.verb === "start") this.#start(member);
    else if (member.state === "frozen") member.thaw();
    else member.freeze();
  }

  #readKeys(): void {
    if (!this.#hasKeys) return;
    process.stdin.setRawMode(true);
    process.stdin.setEncoding("utf8");
    process.stdin.on("data", (keys: string) => {
      for (const key of keys) {
        const command = this.#keys.press(key);
        if (command !== undefined && !this.#isStopping) this.#obey(command);
      }
      if (!this.#isStopping) this.#screen.show(this.#rows(), this.#footer());
    });
  }

  #releaseKeys(): void {
    if (!this.#hasKeys) return;
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }
}

function remove({ isTemporary, directory }: Plan): void {
  if (isTemporary) rmSync(directory, { recursive: true, force: true });
}

async function firstTakenPort(plan: Plan): Promise<number | undefined> {
  for (const { clientPort, peerPort } of plan.members) {
    for (const port of [clientPort, peerPort]) if (!(await isFree(port))) return port;
  }
  return undefined;
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
