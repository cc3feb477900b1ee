/** What members ask each other beside the consensus, as the one who asks (PE-06 to PE-12). */
import { type EtcdError, errors } from "../errors/index.ts";
import type { LeaseAnswer, LostMember, PeerHash, PeerMember, PeerVersions } from "../seam/index.ts";
import {
  decodeLeaseKeepAliveResponse,
  decodeMessage,
  encodeLeaseKeepAliveRequest,
  encodeMessage,
  LeaseInternalRequestSchema,
  LeaseInternalResponseSchema,
  marshal,
} from "../wire/index.ts";
import { readAll } from "./body.ts";
import { type Context, reasonOf, requestHeaders } from "./context.ts";
import { decodeVersions } from "./fetch.ts";
import { ANSWER_BYTES_MAX, HASH_MS } from "./limits.ts";
import { decodeMembers, encodeMembers } from "./members-json.ts";
import type { UrlPicker } from "./url-picker.ts";

interface Question {
  readonly method: "GET" | "POST";
  readonly target: string;
  readonly contentType?: string;
  readonly body?: Buffer;
  readonly timeoutMs?: number;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

const PROTOBUF = "application/protobuf";
/** Ours alone. */
export const REPLACE_TARGET = "/holdfast/members/replace";

export class Questions {
  readonly #context: Context;
  readonly #picker: UrlPicker;

  constructor(context: Context, picker: UrlPicker) {
    this.#context = context;
    this.#picker = picker;
  }

  async versions(): Promise<PeerVersions> {
    const { dialTimeoutMs: timeoutMs } = this.#context;
    const answer = await this.#ask({ method: "GET", target: "/version", timeoutMs });
    return decodeVersions(expected(answer).toString("utf8"));
  }

  async keepAlive(leaseId: bigint): Promise<number> {
    const body = marshal(encodeLeaseKeepAliveRequest, { id: leaseId });
    const question = { method: "POST", target: "/leases", contentType: PROTOBUF, body } as const;
    const answer = await this.#ask(question);
    return decodeLeaseKeepAliveResponse(expectedOfLease(answer)).ttlSeconds;
  }

  async leaseTimes(leaseId: bigint, withKeys: boolean): Promise<LeaseAnswer> {
    const body = encodeMessage(LeaseInternalRequestSchema, {
      LeaseTimeToLiveRequest: { ID: leaseId, keys: withKeys },
    });
    const target = "/leases/internal";
    const answer = await this.#ask({ method: "POST", target, contentType: PROTOBUF, body });
    const decoded = decodeMessage(LeaseInternalResponseSchema, expectedOfLease(answer));
    const times = decoded.LeaseTimeToLiveResponse;
    return {
      ttlSeconds: Number(times?.TTL ?? -1n),
      grantedTtlSeconds: Number(times?.grantedTTL ?? 0n),
      keys: (times?.keys ?? []).map((key) => Buffer.from(key).toString("latin1")),
    };
  }

  async promote(learnerId: bigint): Promise<readonly PeerMember[]> {
    const target = `/members/promote/${learnerId}`;
    const answer = await this.#ask({ method: "POST", target });
    const text = answer.body.toString("utf8");
    if (answer.status === 200) return decodeMembers(text);
    if (answer.status === 404) throw errors.MemberNotFound;
    if (answer.status === 408) throw errors.Timeout;
    if (answer.status === 412 && text.includes("in sync")) throw errors.MemberLearnerNotReady;
    if (answer.status === 412 && text.includes("learner")) throw errors.MemberNotLearner;
    throw known(text) ?? unexpected(answer);
  }

  async hashKv(revision: number): Promise<PeerHash> {
    const answer = await this.#ask({
      method: "GET",
      target: "/members/hashkv",
      contentType: "application/json",
      body: Buffer.from(JSON.stringify({ revision })),
      timeoutMs: HASH_MS,
    });
    const text = answer.body.toString("utf8");
    if (answer.status === 412) throw errors.ClusterIDMismatch;
    if (answer.status !== 200) throw known(text) ?? unexpected(answer);
    const parsed = JSON.parse(text) as Record<string, unknown>;
    const header = (parsed["header"] ?? {}) as Record<string, unknown>;
    return {
      hash: numberOf(parsed["hash"]),
      revision: numberOf(header["revision"]),
      compactRevision: numberOf(parsed["compact_revision"]),
      hashRevision: numberOf(parsed["hash_revision"]),
    };
  }

  /** Asked by our own kind alone. */
  async replace({ id, peerUrls }: LostMember): Promise<readonly PeerMember[]> {
    const row = { id, peerUrls, name: "", clientUrls: [], isLearner: false };
    const question = {
      method: "POST",
      target: REPLACE_TARGET,
      contentType: "application/json",
    } as const;
    const answer = await this.#ask({ ...question, body: Buffer.from(encodeMembers([row])) });
    const text = answer.body.toString("utf8");
    if (answer.status === 200) return decodeMembers(text);
    if (answer.status === 404 && text.includes("member")) throw errors.MemberNotFound;
    throw known(text) ?? unexpected(answer);
  }

  /** At each URL in turn, until one answers. */
  async #ask(question: Question): Promise<Answer> {
    const { dialTimeoutMs, http, questionTimeoutMs } = this.#context;
    const { body, contentType, method, target, timeoutMs = questionTimeoutMs } = question;
    const first = this.#picker.pick();
    const urls = this.#picker.all();
    const failures: string[] = [];
    for (const url of [...urls].sort((a, b) => Number(b === first) - Number(a === first))) {
      try {
        const headers = requestHeaders(this.#context);
        if (contentType !== undefined) headers["content-type"] = contentType;
        const answer = await http.request({
          method,
          url,
          target,
          headers,
          ...(body && { body }),
          connectTimeoutMs: dialTimeoutMs,
          answerTimeoutMs: timeoutMs,
        });
        const bytes = await readAll(answer.body, ANSWER_BYTES_MAX, timeoutMs);
        return { status: answer.status, body: bytes };
      } catch (error) {
        failures.push(`${url}: ${reasonOf(error)}`);
      }
    }
    throw new Error(`the member cannot be asked: ${failures.join("; ") || "it has no peer URL"}`);
  }
}

function expected(answer: Answer): Buffer {
  if (answer.status !== 200) throw unexpected(answer);
  return answer.body;
}

function expectedOfLease(answer: Answer): Buffer {
  if (answer.status === 404) throw errors.LeaseNotFound;
  if (answer.status === 408) throw errors.Timeout;
  if (answer.status !== 200) throw known(answer.body.toString("utf8")) ?? unexpected(answer);
  return answer.body;
}

function unexpected({ status, body }: Answer): Error {
  return new Error(`status ${status}: ${body.toString("utf8").trim().slice(0, 200)}`);
}

/** Refusals that come as their text, with or without the prefix that clients see. */
const REFUSALS: readonly EtcdError[] = [
  errors.Compacted,
  errors.FutureRev,
  errors.NotPrimaryLessor,
  errors.NoLeader,
  errors.NotLeader,
  errors.Timeout,
  errors.Stopped,
];

function known(text: string): EtcdError | undefined {
  return REFUSALS.find((error) => text.includes(error.message.replace(/^etcdserver: /, "")));
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
