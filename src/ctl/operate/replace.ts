/**
 * Puts a new member in the place of an old one: quorum, remove, add, start, catch up, promote. What
 * is next is told by the cluster at each step, so a run that was killed goes on at its place.
 */
import { type Client, isRefusal } from "../../client/index.ts";
import { Code } from "../../errors/index.ts";
import { CtlError, Exit } from "../exit.ts";
import { hostCommand, hostOf, runOnHost } from "./host-command.ts";
import type { Notes } from "./notes.ts";
import {
  nextStep,
  quorumTrouble,
  type ReplaceNotes,
  type ReplaceStep,
  startVariables,
} from "./replace-plan.ts";
import { Arrival, moveLeadership, type Operation, tell } from "./steps.ts";
import { type ClusterView, type MemberView, viewOf } from "./view.ts";
import { type Found, waitFor } from "./wait.ts";

export interface ReplaceOptions extends Operation {
  readonly oldId: bigint;
  /** Of the new member; "" and none = as the old one's. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly isVoter: boolean;
  /** "" = a person starts it. */
  readonly exec: string;
  readonly notes: Notes<ReplaceNotes>;
  readonly changes: MemberChanges;
}

/** The calls that change the members. */
export interface MemberChanges {
  remove(id: bigint): Promise<void>;
  add(peerUrls: readonly string[], isLearner: boolean): Promise<void>;
  /** False: it has not caught up yet. */
  promote(id: bigint): Promise<boolean>;
}

export function memberChangesOf(client: Client, timeoutMs: number): MemberChanges {
  const { cluster } = client;
  const options = { timeoutMs };
  return {
    remove: async (id) => void (await cluster.memberRemove(id, options)),
    add: async (peerUrls, isLearner) => {
      await cluster.memberAdd(peerUrls, { isLearner, ...options });
    },
    promote: async (id) => {
      try {
        await cluster.memberPromote(id, options);
        return true;
      } catch (error) {
        if (isRefusal(error, "MemberLearnerNotReady")) return false;
        throw error;
      }
    },
  };
}

/** Longer than an election takes. */
const ELECTION_MS = 10_000;

export class Replacement {
  readonly #options: ReplaceOptions;
  /** The name and URLs that the new member is to have. */
  #wanted: ReplaceNotes | undefined;
  #isCaughtUp = false;

  constructor(options: ReplaceOptions) {
    this.#options = options;
  }

  /** What would be done from where the cluster stands now; nothing is changed. */
  async plan(): Promise<string> {
    const view = await viewOf(this.#options.asker);
    const wanted = this.#settle(view);
    const step = this.#step(view, wanted);
    if (step.is === "remove") await this.#untilQuorum();
    const { isVoter, exec, oldId } = this.#options;
    const urls = wanted.peerUrls.join(",");
    const start = exec === "" ? "start it there by hand" : `on its host: ${exec}`;
    const all: readonly (readonly [ReplaceStep["is"], string])[] = [
      ["remove", `remove member ${oldId.toString(16)} (${wanted.name})`],
      ["add", `add ${urls} as a ${isVoter ? "voter" : "learner"}`],
      ["start", `move what is left of its data directory away and ${start}`],
      ["catch up", "wait until it has applied what the leader had committed when it came up"],
      ["promote", "give it a vote"],
    ];
    const rows = isVoter ? all.slice(0, -1) : all;
    const at = step.is === "done" ? rows.length : rows.findIndex(([is]) => is === step.is);
    return rows
      .map(([, text], row) => (row < at ? `-  done: ${text}\n` : `${row + 1}. ${text}\n`))
      .join("");
  }

  /** Throws CtlError at the first failure; the same call goes on. */
  async run(): Promise<void> {
    const { asker, io, notes } = this.#options;
    const wanted = this.#settle(await viewOf(asker));
    for (;;) {
      const view = await viewOf(asker);
      const step = this.#step(view, wanted);
      if (step.is === "done") {
        notes.remove();
        const { fresh } = step;
        return tell(io, `${fresh.name} votes as member ${fresh.id}; it is replaced`);
      }
      await this.#do(step, view, wanted);
    }
  }

  #step(view: ClusterView, { peerUrls }: ReplaceNotes): ReplaceStep {
    const { oldId } = this.#options;
    return nextStep(view, { oldId, peerUrls, isCaughtUp: this.#isCaughtUp });
  }

  /** Name and URLs: as given, as the old member has them, or as an earlier run noted them. */
  #settle({ members }: ClusterView): ReplaceNotes {
    if (this.#wanted !== undefined) return this.#wanted;
    const { oldId, name, peerUrls, notes } = this.#options;
    const old = members.find(({ member }) => member.id === oldId)?.member;
    const noted = notes.read();
    const urls = peerUrls.length > 0 ? peerUrls : (noted?.peerUrls ?? old?.peerUrls ?? []);
    if (urls.length === 0) {
      throw new CtlError(
        `there is no member ${oldId.toString(16)}, and no note of its removal in ${notes.path}; ` +
          "is the id right (`etcdctl member list`)? If it was removed, give --name and --peer-urls",
        Exit.BAD_ARGS,
      );
    }
    const known = members.find(({ member }) => member.peerUrls.some((url) => urls.includes(url)));
    const called = name || noted?.name || old?.name || known?.member.name || "";
    if (called === "") throw new CtlError("the new member needs a name: --name", Exit.BAD_ARGS);
    this.#wanted = { name: called, peerUrls: urls };
    return this.#wanted;
  }

  async #do(step: ReplaceStep, view: ClusterView, wanted: ReplaceNotes): Promise<void> {
    const { io, changes, isVoter, notes } = this.#options;
    switch (step.is) {
      case "remove": {
        await this.#untilQuorum();
        if (step.old === view.leader) {
          return await moveLeadership(this.#options, view, () => false);
        }
        notes.write(wanted);
        await this.#change("remove", () => changes.remove(step.old.member.id));
        return tell(io, `1. removed member ${step.old.id} (${step.old.name})`);
      }
      case "add":
        await this.#change("add", () => changes.add(wanted.peerUrls, !isVoter));
        return tell(
          io,
          `2. added ${wanted.peerUrls.join(",")} as a ${isVoter ? "voter" : "learner"}`,
        );
      case "start":
        return await this.#start(step.fresh, view, wanted);
      case "catch up":
        await this.#catchUp(step.fresh.member.id, step.fresh.name);
        this.#isCaughtUp = true;
        return tell(io, `4. ${step.fresh.name} has applied what the leader had committed`);
      case "promote":
        await this.#promote(step.fresh);
        return tell(io, `5. member ${step.fresh.id} has a vote`);
      case "done":
    }
  }

  /** The one that is lost may have led, and the others elect another within seconds. */
  async #untilQuorum(): Promise<void> {
    const { io, asker, oldId, timeoutMs } = this.#options;
    const hint = "bring them back; when they are lost for good see `holdfast disaster --help`";
    const limits = { timeoutMs: Math.min(timeoutMs, ELECTION_MS), hint };
    await waitFor(io, { what: "waiting for a majority", ...limits }, async () => {
      const view = await viewOf(asker);
      const old = view.members.find(({ member }) => member.id === oldId);
      const why = old === undefined ? undefined : quorumTrouble(view, old);
      return why === undefined ? { is: "done", value: undefined } : { is: "waiting", why };
    });
  }

  /** Members count as healthy to a cluster when they were connected for 5 s. */
  async #change(is: "remove" | "add", change: () => Promise<void>): Promise<void> {
    const { io, asker, oldId, timeoutMs } = this.#options;
    const hint = "see `holdfast health`; the same command goes on";
    const wanted = this.#wanted as ReplaceNotes;
    await waitFor(io, { what: `waiting to ${is}`, timeoutMs, hint }, async () => {
      // A try without an answer may have come through.
      const view = await viewOf(asker);
      const now = nextStep(view, { oldId, peerUrls: wanted.peerUrls, isCaughtUp: false });
      if (now.is !== is) return { is: "done", value: undefined };
      try {
        await change();
        return { is: "done", value: undefined };
      } catch (error) {
        if (!isWorthWaiting(error)) throw new CtlError((error as Error).message, Exit.ERROR, error);
        return { is: "waiting", why: `the cluster refuses to ${is}: ${(error as Error).message}` };
      }
    });
  }

  async #start(fresh: MemberView, view: ClusterView, { name }: ReplaceNotes): Promise<void> {
    const { io, exec } = this.#options;
    const { member } = fresh;
    const all = view.members.map((one) => one.member);
    const variables = startVariables(all, member, name);
    if (exec === "") tell(io, startText(hostOf(member.peerUrls[0] ?? ""), variables));
    else {
      const more = { c: variables["ETCD_INITIAL_CLUSTER"] ?? "" };
      const command = hostCommand(exec, { ...member, name }, more);
      tell(io, `3. ${command}`);
      await runOnHost(io, command, this.#options.timeoutMs);
    }
    await this.#wait(name, member.id, (_, now) =>
      now.member.name === ""
        ? { is: "waiting", why: `${name} has not started at ${member.peerUrls.join(", ")}` }
        : { is: "done", value: now },
    );
    tell(io, `   ${name} has started`);
  }

  async #catchUp(id: bigint, name: string): Promise<void> {
    const arrival = new Arrival();
    await this.#wait(name, id, (view, now) => arrival.look(this.#options, view, now));
  }

  async #promote({ member, name }: MemberView): Promise<void> {
    const { changes } = this.#options;
    await this.#wait(name, member.id, async (_, now) => {
      if (!now.member.isLearner) return { is: "done", value: now };
      try {
        if (await changes.promote(member.id)) return { is: "done", value: now };
      } catch (error) {
        if (!isWorthWaiting(error)) throw new CtlError((error as Error).message, Exit.ERROR, error);
      }
      return { is: "waiting", why: `${name} is not in sync with the leader yet` };
    });
  }

  async #wait(
    name: string,
    id: bigint,
    look: (view: ClusterView, now: MemberView) => Found<MemberView> | Promise<Found<MemberView>>,
  ): Promise<void> {
    const { io, asker, timeoutMs } = this.#options;
    const hint = "look at its log; the same command goes on";
    await waitFor(io, { what: `waiting for ${name}`, timeoutMs, hint }, async () => {
      const view = await viewOf(asker);
      const now = view.members.find(({ member }) => member.id === id);
      if (now === undefined) throw new CtlError(`${name} is no member any more; begin anew`);
      return await look(view, now);
    });
  }
}

/** What passes by itself: members that have just connected, an election, a lost answer. */
function isWorthWaiting(error: unknown): boolean {
  const { code } = error as { code?: number };
  return code === Code.UNAVAILABLE || code === Code.DEADLINE_EXCEEDED;
}

function startText(host: string, variables: Readonly<Record<string, string>>): string {
  const rows = Object.entries(variables).map(([name, value]) => `     ${name}="${value}"`);
  return [
    `3. Now on ${host}: stop what runs there, move its data directory away, and start it with`,
    ...rows,
    "   As deploy/systemd sets it up, with these variables in /etc/holdfast/holdfast.env:",
    "     systemctl stop etcd; mv /var/lib/holdfast /var/lib/holdfast.old; systemctl start etcd",
  ].join("\n");
}
