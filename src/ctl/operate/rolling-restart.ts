/** Restarts the members one after the other while the others serve. */
import { CtlError } from "../exit.ts";
import { hostCommand, runOnHost } from "./host-command.ts";
import type { Notes } from "./notes.ts";
import {
  checkOthers,
  checkMajority,
  inOrder,
  isRestarted,
  type RollingNotes,
  troubleOfOthers,
} from "./rolling-plan.ts";
import { Arrival, moveLeadership, type Operation, tell } from "./steps.ts";
import { type ClusterView, type MemberView, viewOf } from "./view.ts";
import { type Found, waitFor } from "./wait.ts";

export interface RollingOptions extends Operation {
  readonly exec: string;
  /** Members that run it already are passed over; "" = any. */
  readonly expectVersion: string;
  readonly notes: Notes<RollingNotes>;
}

/** How long members other than the one whose turn it is may take to follow a new leader. */
const SETTLE_MS = 15_000;

export class RollingRestart {
  readonly #options: RollingOptions;

  constructor(options: RollingOptions) {
    this.#options = options;
  }

  /** The plan as it would be carried out now; nothing is changed. */
  async plan(): Promise<string> {
    const view = await viewOf(this.#options.asker);
    const notes = this.#notes(view);
    const { turns, done } = await this.#turns(view, notes);
    checkOthers(view, unfinished(view, notes));
    for (const turn of turns) checkMajority(view, turn);
    const lines = turns.map((one, at) => {
      const role = one === view.leader ? "leader: the leadership is moved first" : roleOf(one);
      return `${at + 1}. ${one.name} (${role}): ${hostCommand(this.#options.exec, one.member)}`;
    });
    const passed = done.map((one) => `-  ${one.name}: done already`);
    const rule = "Each next one when the last has applied what the leader had committed.";
    return `${[...passed, ...lines, ...(turns.length > 1 ? [rule] : [])].join("\n")}\n`;
  }

  /** Throws CtlError at the first failure; the same call goes on. */
  async run(): Promise<void> {
    const { asker, io, notes: file } = this.#options;
    let notes = this.#notes(await viewOf(asker));
    const restarted: string[] = [];
    for (;;) {
      const { view, done, turn } = await this.#next(notes);
      if (restarted.length === 0) {
        for (const one of done)
          if (one.id !== notes.current) tell(io, `-  ${one.name}: done already`);
      }
      if (turn === undefined) break;
      if (turn === view.leader && !isRestarted(notes, turn)) {
        await moveLeadership(this.#options, view, (one) => done.includes(one));
        continue;
      }
      checkMajority(view, turn);
      notes = { ...notes, current: turn.id };
      file.write(notes);
      await this.#restart(view, turn, notes);
      const { current: _, ...rest } = notes;
      notes = rest;
      file.write(notes);
      restarted.push(turn.name);
    }
    file.remove();
    const all = restarted.length === 1 ? "1 member" : `${restarted.length} members`;
    tell(io, `${all} restarted; every member has applied what the leader had committed`);
  }

  /** Looked at until the others are well; throws CtlError when they are not for long. */
  async #next(notes: RollingNotes) {
    const { io, asker, timeoutMs } = this.#options;
    const hint = "the same command goes on";
    const limits = { timeoutMs: Math.min(timeoutMs, SETTLE_MS), hint };
    return await waitFor(io, { what: "waiting for the others", ...limits }, async () => {
      const view = await viewOf(asker);
      const { turns, done } = await this.#turns(view, notes);
      const turn = unfinished(view, notes) ?? turns[0];
      const why = troubleOfOthers(view, turn?.id === notes.current ? turn : undefined);
      if (turn !== undefined && why !== undefined) return { is: "waiting", why };
      return { is: "done", value: { view, done, turn } };
    });
  }

  /** Those of an earlier run that did not come to its end, or new ones. */
  #notes(view: ClusterView): RollingNotes {
    const { exec, notes: file } = this.#options;
    const cluster = clusterOf(view);
    const found = file.read();
    if (found !== undefined) {
      if (found.cluster === cluster && found.exec === exec) return found;
      throw new CtlError(
        `${file.path} tells of another rolling restart that has not ended: --exec '${found.exec}' ` +
          `in cluster ${found.cluster}; end that, or delete the file to forget it`,
      );
    }
    checkOthers(view, undefined);
    for (const one of view.members) checkMajority(view, one);
    const starts = view.members.map(({ id, name, startSeconds, member }) => {
      if (startSeconds !== undefined) return [id, startSeconds] as const;
      const url = `${member.clientUrls[0] ?? ""}/metrics`;
      throw new CtlError(`${name}: ${url} does not tell when the process started`);
    });
    return { cluster, exec, startSeconds: Object.fromEntries(starts) };
  }

  async #turns(
    view: ClusterView,
    notes: RollingNotes,
  ): Promise<{ readonly turns: MemberView[]; readonly done: MemberView[] }> {
    const areDone = await Promise.all(
      view.members.map(async (one) => isRestarted(notes, one) || (await this.#isAsExpected(one))),
    );
    return {
      turns: inOrder(
        view,
        view.members.filter((_, at) => areDone[at] === false),
      ),
      done: view.members.filter((_, at) => areDone[at]),
    };
  }

  async #isAsExpected({ member, status }: MemberView): Promise<boolean> {
    const { expectVersion, hands } = this.#options;
    if (expectVersion === "" || status === undefined) return false;
    if (status.version === expectVersion) return true;
    const release = await hands.releaseAt(member.clientUrls[0] ?? "").catch(() => undefined);
    return release === expectVersion;
  }

  async #restart(view: ClusterView, turn: MemberView, notes: RollingNotes): Promise<void> {
    const { io, exec, timeoutMs, expectVersion } = this.#options;
    if (isRestarted(notes, turn)) tell(io, `-> ${turn.name}: restarted already`);
    else {
      const command = hostCommand(exec, turn.member);
      tell(io, `-> ${turn.name} (${turn === view.leader ? "leader" : roleOf(turn)}): ${command}`);
      await runOnHost(io, command, timeoutMs);
    }
    const arrival = new Arrival();
    const hint =
      `look at its log, on ${turn.member.peerUrls.join(", ")}; ` +
      "no other member was touched, and the same command goes on";
    const what = `waiting for ${turn.name}`;
    const back = await waitFor(io, { what, timeoutMs, hint }, () =>
      this.#lookFor(turn, notes, arrival),
    );
    if (expectVersion !== "" && !(await this.#isAsExpected(back))) {
      const found = back.status?.version ?? "";
      throw new CtlError(
        `${turn.name} came back with version ${found}, expected ${expectVersion}: ` +
          "is the new program installed on its host? No other member was touched",
      );
    }
    tell(io, `   ${turn.name} is back and has applied entry ${back.status?.raftAppliedIndex}`);
  }

  async #lookFor(
    turn: MemberView,
    notes: RollingNotes,
    arrival: Arrival,
  ): Promise<Found<MemberView>> {
    const view = await viewOf(this.#options.asker);
    const now = view.members.find(({ id }) => id === turn.id);
    if (now === undefined) throw new CtlError(`${turn.name} is no member any more`);
    if (now.status !== undefined && !isRestarted(notes, now)) {
      const began = new Date((notes.startSeconds[turn.id] ?? 0) * 1000).toISOString();
      return { is: "waiting", why: `${turn.name} is still the process that began at ${began}` };
    }
    return await arrival.look(this.#options, view, now);
  }
}

/** The member that an earlier run, or this one, left in the middle. */
function unfinished(view: ClusterView, { current }: RollingNotes): MemberView | undefined {
  return current === undefined ? undefined : view.members.find(({ id }) => id === current);
}

function roleOf({ member }: MemberView): string {
  return member.isLearner ? "learner" : "follower";
}

function clusterOf({ members }: ClusterView): string {
  const status = members.find((one) => one.status !== undefined)?.status;
  if (status === undefined) throw new CtlError("no member answers: see `holdfast health`");
  return status.header.clusterId.toString(16);
}
