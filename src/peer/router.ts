/** Requests on the peer URLs (surface 15.1), with the refusals of surface 15.2. */
import { errors, EtcdError } from "../errors/index.ts";
import type {
  HttpHeaders,
  HttpStreamHandler,
  HttpStreamRequest,
  HttpStreamResponse,
  PeerMember,
} from "../seam/index.ts";
import {
  decodeLeaseKeepAliveRequest,
  decodeMessage,
  decodeRaftMessage,
  encodeMessage,
  LeaseInternalRequestSchema,
  LeaseInternalResponseSchema,
  LeaseKeepAliveResponseSchema,
  type Message,
} from "../wire/index.ts";
import { readAll } from "./body.ts";
import { answerHeaders, type Context, reasonOf } from "./context.ts";
import type { StreamKind } from "./frame-encoder.ts";
import { FRAME_BYTES_MAX, QUESTION_BYTES_MAX } from "./limits.ts";
import { decodeMembers, encodeMembers } from "./members-json.ts";
import type { Peer } from "./peer.ts";
import { REPLACE_TARGET } from "./questions.ts";
import type { SnapshotReceiver } from "./snapshot-receiver.ts";
import { areCompatible, HEADER, parseId } from "./versions.ts";

export interface RouterOptions {
  readonly context: Context;
  readonly snapshots: SnapshotReceiver;
  readonly peerOf: (id: bigint) => Peer | undefined;
  /** A sender that is no member here says where it can be reached. */
  readonly addRemote: (id: bigint, urls: readonly string[]) => void;
}

type Route = (request: HttpStreamRequest, response: HttpStreamResponse) => void | Promise<void>;

/** What ends a request with a status and a text. */
class Refused extends Error {
  readonly status: number;
  readonly headers: HttpHeaders;

  constructor(status: number, message: string, headers: HttpHeaders = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

const TEXT = { "content-type": "text/plain; charset=utf-8" };
const JSON_TYPE = { "content-type": "application/json" };
const PROTOBUF = { "content-type": "application/protobuf" };
const NOT_CAUGHT_UP = "waiting for node to catch up its applied index has timed out";
const STREAM_PREFIX = "/raft/stream/";
const PROMOTE_PREFIX = "/members/promote/";

export class Router {
  readonly #options: RouterOptions;
  readonly #context: Context;
  readonly #routes: ReadonlyMap<string, Route>;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#context = options.context;
    const { snapshots } = options;
    this.#routes = new Map<string, Route>([
      ["/raft", (request, response) => this.#message(request, response)],
      ["/raft/probing", (request, response) => this.#probing(request, response)],
      ["/raft/snapshot", (request, response) => this.#snapshot(request, response)],
      ["/raft/snapshot/offset", (request, response) => snapshots.offset(request, response)],
      ["/members", (request, response) => this.#members(request, response)],
      [REPLACE_TARGET, (request, response) => this.#replace(request, response)],
      ["/members/hashkv", (request, response) => this.#hashKv(request, response)],
      ["/leases", (request, response) => this.#keepAlive(request, response)],
      ["/leases/internal", (request, response) => this.#leaseTimes(request, response)],
      ["/downgrade/enabled", (request, response) => this.#downgrade(request, response)],
      ["/version", (request, response) => this.#version(request, response)],
    ]);
  }

  readonly handle: HttpStreamHandler = async (request, response) => {
    try {
      await this.#routeOf(request.path)(request, response);
    } catch (error) {
      const refused = error instanceof Refused ? error : refusalOf(error);
      const { headers, message, status } = refused;
      response.send(status, { ...this.#headers(TEXT), ...headers }, `${message}\n`);
    }
  };

  #routeOf(path: string): Route {
    const route = this.#routes.get(path);
    if (route !== undefined) return route;
    if (path.startsWith(STREAM_PREFIX))
      return (request, response) => this.#stream(request, response);
    if (path.startsWith(PROMOTE_PREFIX)) {
      return (request, response) => this.#promote(request, response);
    }
    throw new Refused(404, "404 page not found");
  }

  #headers(more: HttpHeaders): HttpHeaders {
    return { ...answerHeaders(this.#context), ...more };
  }

  /** PE-22: what any word between members must show. */
  #checkSender({ headers }: HttpStreamRequest): void {
    if (!areCompatible(headers, this.#context.serverVersion)) {
      throw new Refused(412, "incompatible version");
    }
    this.#checkCluster(headers[HEADER.clusterId] ?? "");
  }

  #checkCluster(given: string): void {
    if (parseId(given) !== this.#context.handler.clusterId) {
      throw new Refused(412, "cluster ID mismatch");
    }
  }

  #learn({ headers }: HttpStreamRequest): void {
    const from = parseId(headers[HEADER.from]);
    const urls = (headers[HEADER.peerUrls] ?? "").split(",").filter((url) => url !== "");
    if (from !== 0n && urls.length > 0) this.#options.addRemote(from, urls);
  }

  /** PE-01, PE-02, PE-38: removal is told before membership, membership before the address. */
  #stream(request: HttpStreamRequest, response: HttpStreamResponse): void {
    allow(request, "GET");
    this.#checkSender(request);
    const { handler } = this.#context;
    const [kind, idText, ...rest] = request.path.slice(STREAM_PREFIX.length).split("/");
    if ((kind !== "msgapp" && kind !== "message") || rest.length > 0) {
      throw new Refused(404, "invalid path");
    }
    const from = parseId(idText);
    if (from === 0n) throw new Refused(404, "invalid from");
    if (handler.isRemoved(from)) throw new Refused(410, "the member was removed");
    const peer = this.#options.peerOf(from);
    if (peer === undefined) {
      this.#learn(request);
      throw new Refused(404, "error sender not found");
    }
    if (parseId(request.headers[HEADER.raftTo]) !== handler.id) {
      throw new Refused(412, "to field mismatch");
    }
    peer.know(request.headers);
    response.writeHead(200, this.#headers({}));
    peer.attach(kind satisfies StreamKind, response);
  }

  /** PE-03. */
  async #message(request: HttpStreamRequest, response: HttpStreamResponse): Promise<void> {
    allow(request, "POST");
    this.#checkSender(request);
    this.#learn(request);
    const { handler, readTimeoutMs } = this.#context;
    const body = await readAll(request.body, FRAME_BYTES_MAX, readTimeoutMs);
    let message: Message;
    try {
      message = decodeRaftMessage(body);
    } catch (error) {
      throw new Refused(400, `error reading the raft message: ${reasonOf(error)}`);
    }
    const { from } = message;
    this.#options.peerOf(from)?.measures.receivedBytes.add(body.length);
    const receipt = handler.isRemoved(from) ? "senderRemoved" : handler.receive(message);
    if (receipt === "senderRemoved") throw new Refused(403, "the sender was removed");
    if (receipt === "notForMe") throw new Refused(403, "the message is for another member");
    response.send(204, this.#headers({}));
  }

  async #snapshot(request: HttpStreamRequest, response: HttpStreamResponse): Promise<void> {
    allow(request, "POST");
    this.#checkSender(request);
    this.#learn(request);
    await this.#options.snapshots.receive(request, response);
  }

  #probing(request: HttpStreamRequest, response: HttpStreamResponse): void {
    allow(request, "GET");
    const now = new Date(this.#context.clock.wallMs()).toISOString();
    response.send(200, this.#headers(JSON_TYPE), `${JSON.stringify({ OK: true, Now: now })}\n`);
  }

  #members(request: HttpStreamRequest, response: HttpStreamResponse): void {
    allow(request, "GET");
    const members = encodeMembers(this.#context.handler.members());
    response.send(200, this.#headers(JSON_TYPE), `${members}\n`);
  }

  async #promote(request: HttpStreamRequest, response: HttpStreamResponse): Promise<void> {
    allow(request, "POST");
    const text = request.path.slice(PROMOTE_PREFIX.length);
    const id = /^\d{1,20}$/.test(text) ? BigInt(text) : 0n;
    if (id === 0n || id >= 1n << 64n) throw new Refused(404, `member ${text} not found in cluster`);
    const members = await this.#context.handler.promoteForPeer(id);
    response.send(200, this.#headers(JSON_TYPE), `${encodeMembers(members)}\n`);
  }

  async #replace(request: HttpStreamRequest, response: HttpStreamResponse): Promise<void> {
    this.#checkSender(request);
    const body = await this.#question(request);
    const [lost] = listed(body.toString("utf8"));
    if (lost === undefined) throw new Refused(400, "no member is named");
    const members = await this.#context.handler.replaceForPeer(lost);
    response.send(200, this.#headers(JSON_TYPE), `${encodeMembers(members)}\n`);
  }

  async #hashKv(request: HttpStreamRequest, response: HttpStreamResponse): Promise<void> {
    allow(request, "GET");
    const given = request.headers[HEADER.clusterId];
    // Members before 3.5 do not say theirs here.
    if (given !== undefined) this.#checkCluster(given);
    const { handler, readTimeoutMs } = this.#context;
    const body = await readAll(request.body, QUESTION_BYTES_MAX, readTimeoutMs);
    const answer = await handler.hashKvForPeer(parseRevision(body.toString("utf8")));
    const ids = `"cluster_id":${handler.clusterId},"member_id":${handler.id}`;
    const text =
      `{"header":{${ids},"revision":${answer.revision}},"hash":${answer.hash},` +
      `"compact_revision":${answer.compactRevision},"hash_revision":${answer.hashRevision}}\n`;
    response.send(200, this.#headers(JSON_TYPE), text);
  }

  async #keepAlive(request: HttpStreamRequest, response: HttpStreamResponse): Promise<void> {
    const body = await this.#question(request);
    const { id } = decodeLeaseKeepAliveRequest(body);
    const ttlSeconds = await this.#context.handler.renewForPeer(id);
    const answer = encodeMessage(LeaseKeepAliveResponseSchema, {
      ID: id,
      TTL: BigInt(ttlSeconds),
    });
    response.send(200, this.#headers(PROTOBUF), answer);
  }

  async #leaseTimes(request: HttpStreamRequest, response: HttpStreamResponse): Promise<void> {
    const body = await this.#question(request);
    const asked = decodeMessage(LeaseInternalRequestSchema, body).LeaseTimeToLiveRequest;
    const id = asked?.ID ?? 0n;
    const { handler } = this.#context;
    const times = await handler.leaseTimesForPeer(id, asked?.keys ?? false);
    if (times.ttlSeconds < 0) throw errors.LeaseNotFound;
    const answer = encodeMessage(LeaseInternalResponseSchema, {
      LeaseTimeToLiveResponse: {
        header: {},
        ID: id,
        TTL: BigInt(times.ttlSeconds),
        grantedTTL: BigInt(times.grantedTtlSeconds),
        keys: times.keys.map((key) => Buffer.from(key, "latin1")),
      },
    });
    response.send(200, this.#headers(PROTOBUF), answer);
  }

  async #question(request: HttpStreamRequest): Promise<Buffer> {
    allow(request, "POST");
    try {
      return await readAll(request.body, QUESTION_BYTES_MAX, this.#context.readTimeoutMs);
    } catch (error) {
      throw new Refused(400, `error reading body: ${reasonOf(error)}`);
    }
  }

  #downgrade(request: HttpStreamRequest, response: HttpStreamResponse): void {
    allow(request, "GET");
    response.send(200, this.#headers(TEXT), "false");
  }

  #version(request: HttpStreamRequest, response: HttpStreamResponse): void {
    allow(request, "GET");
    const { handler, holdfastVersion } = this.#context;
    const { cluster, server } = handler.versions();
    const versions = { etcdserver: server, etcdcluster: cluster, holdfast: holdfastVersion };
    response.send(200, this.#headers(JSON_TYPE), JSON.stringify(versions));
  }
}

function allow({ method }: HttpStreamRequest, allowed: string): void {
  if (method === allowed || (allowed === "GET" && method === "HEAD")) return;
  throw new Refused(405, "Method Not Allowed", { allow: allowed });
}

function listed(text: string): PeerMember[] {
  try {
    return decodeMembers(text);
  } catch (error) {
    throw new Refused(400, `error reading the request: ${reasonOf(error)}`);
  }
}

function parseRevision(text: string): number {
  let revision: unknown;
  try {
    revision = (JSON.parse(text) as { revision?: unknown } | null)?.revision ?? 0;
  } catch {
    throw new Refused(400, "error reading the request");
  }
  if (typeof revision === "number" && Number.isSafeInteger(revision)) return revision;
  throw new Refused(400, "the revision is no number");
}

/** The status that members of etcd give each refusal, with the text they look for. */
function refusalOf(error: unknown): Refused {
  switch (error) {
    case errors.LeaseNotFound:
      return new Refused(404, "lease not found");
    case errors.MemberNotFound:
      return new Refused(404, errors.MemberNotFound.message);
    case errors.MemberLearnerNotReady:
    case errors.MemberNotLearner:
      return new Refused(412, (error as EtcdError).message);
    case errors.Timeout:
    case errors.TimeoutDueToLeaderFail:
    case errors.TimeoutDueToConnectionLost:
    case errors.TimeoutWaitAppliedIndex:
      return new Refused(408, NOT_CAUGHT_UP);
    default:
      if (error instanceof EtcdError) return new Refused(400, error.message);
      return new Refused(500, reasonOf(error));
  }
}
