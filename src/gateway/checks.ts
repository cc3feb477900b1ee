/** GET /livez and /readyz (HT-04, HT-05): named checks, alone or together, as plain text. */
import type { HttpRequest, HttpResponse } from "../seam/index.ts";
import { AlarmType } from "../wire/index.ts";
import { alarmsOf, linearizableRead, type Probe, serializableRead } from "./probe.ts";

/** Undefined = ok, else the reason. */
type Check = (probe: Probe) => Promise<string | undefined> | string | undefined;
export type Checks = ReadonlyMap<string, Check>;

/** Is the process worth keeping? */
export const LIVE_CHECKS: Checks = new Map<string, Check>([["serializable_read", localRead]]);

/** Should it be sent traffic? */
export const READY_CHECKS: Checks = new Map<string, Check>([
  ["data_corruption", dataCorruption],
  ["time_travel", timeTravel],
  ["serializable_read", serializableRead],
  ["linearizable_read", linearizableRead],
  ["non_learner", nonLearner],
]);

/** A member that waits for a sound store refuses reads, and is to be left alone until then. */
function localRead(probe: Probe): string | undefined {
  return probe.member.isQuarantined ? undefined : serializableRead(probe);
}

function dataCorruption({ member }: Probe): string | undefined {
  const isCorrupt = alarmsOf(member).some(({ alarm }) => alarm === AlarmType.CORRUPT);
  return isCorrupt ? "alarm activated: CORRUPT" : undefined;
}

/** Shown when it fails: etcd has no such check. */
function timeTravel({ member }: Probe): string | undefined {
  return member.timeTravel;
}

function nonLearner({ member }: Probe): string | undefined {
  return member.status().isLearner ? "the local member is a learner" : undefined;
}

/** How each check went the last time and how often it went so: etcd_server_healthcheck(s_total). */
export class CheckCounts {
  readonly last = new Map<string, boolean>();
  readonly totals = new Map<string, number>();

  note(type: string, name: string, isOk: boolean): void {
    this.last.set(`${type} ${name}`, isOk);
    const key = `${type} ${name} ${isOk ? "success" : "error"}`;
    this.totals.set(key, (this.totals.get(key) ?? 0) + 1);
  }
}

export interface CheckPage {
  /** "livez", "readyz". */
  readonly type: string;
  readonly checks: Checks;
  readonly counts: CheckCounts;
}

/** All checks of a page but the excluded ones. */
export async function runChecks(
  probe: Probe,
  { type, checks, counts }: CheckPage,
  request: HttpRequest,
): Promise<HttpResponse> {
  const excluded = new Set(request.query.getAll("exclude"));
  const lines: string[] = [];
  let hasFailed = false;
  for (const [name, check] of checks) {
    if (excluded.has(name)) continue;
    const failure = await check(probe);
    if (check === timeTravel && failure === undefined) continue;
    counts.note(type, name, failure === undefined);
    hasFailed ||= failure !== undefined;
    lines.push(failure === undefined ? `[+]${name} ok` : `[-]${name} failed: ${failure}`);
  }
  const isVerbose = hasFailed || request.query.has("verbose");
  const text = isVerbose ? `${lines.join("\n")}\n` : "";
  return {
    status: hasFailed ? 503 : 200,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "x-content-type-options": "nosniff",
    },
    body: hasFailed ? text : `${text}ok\n`,
  };
}
