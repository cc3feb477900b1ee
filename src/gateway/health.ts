/** GET /health (HT-01 to HT-03): JSON, one word and a reason. */
import type { HttpRequest, HttpResponse } from "../seam/index.ts";
import { alarmName } from "../wire/index.ts";
import { alarmsOf, linearizableRead, type Probe, serializableRead } from "./probe.ts";

export interface HealthOptions extends Probe {
  /** 3.4 answers without a reason. */
  readonly hasReason: boolean;
}

export class HealthPage {
  readonly #options: HealthOptions;
  /** Answers since the start. */
  successes = 0;
  failures = 0;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  async answer(request: HttpRequest): Promise<HttpResponse> {
    const reason = await problem(this.#options, request.query);
    if (reason === undefined) this.successes += 1;
    else this.failures += 1;
    const status = { health: reason === undefined ? "true" : "false" };
    const body = this.#options.hasReason ? { ...status, reason: reason ?? "" } : status;
    return {
      status: reason === undefined ? 200 : 503,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    };
  }
}

/** The first thing that is wrong, in etcd's words. */
async function problem(
  options: HealthOptions,
  query: URLSearchParams,
): Promise<string | undefined> {
  const { member } = options;
  const excluded = query.getAll("exclude");
  if (member.timeTravel !== undefined) return `TIME TRAVEL:${member.timeTravel}`;
  for (const { alarm } of alarmsOf(member)) {
    const name = alarmName(alarm);
    if (!excluded.includes(name)) return `ALARM ${name}`;
  }
  const isSerializable = query.get("serializable") === "true";
  if (!isSerializable && member.status().leader === 0n) return "RAFT NO LEADER";
  const failure = isSerializable ? serializableRead(options) : await linearizableRead(options);
  return failure === undefined ? undefined : `RANGE ERROR:${failure}`;
}
