/** etcdserverpb.Lease (surface 4). */
import { LEASE_TTL_SECONDS_MAX } from "../base/index.ts";
import { bytesFromLatin1 } from "../base/index.ts";
import { errors } from "../errors/index.ts";
import type { Method, ServerStream } from "../grpc/index.ts";
import {
  decodeLeaseGrantRequest,
  decodeLeaseKeepAliveRequest,
  decodeLeaseRevokeRequest,
  decodeMessage,
  encodeLeaseGrantResponse,
  encodeLeaseKeepAliveResponse,
  encodeLeaseRevokeResponse,
  encodeMessage,
  LeaseLeasesResponseSchema,
  LeaseTimeToLiveRequestSchema,
  LeaseTimeToLiveResponseSchema,
} from "../wire/index.ts";
import { attempt, coldHeader, failCall, headerOf, type RpcContext } from "./context.ts";

/** Renewals of one stream that wait for their answer. Beyond it the client is not read. */
const KEEP_ALIVES_PENDING_MAX = 1_000;

export function leaseMethods(context: RpcContext): [string, Method][] {
  const path = (name: string) => `/etcdserverpb.Lease/${name}`;
  return [
    [path("LeaseGrant"), { kind: "unary", handle: (call, bytes) => grant(context, call, bytes) }],
    [path("LeaseRevoke"), { kind: "unary", handle: (call, bytes) => revoke(context, call, bytes) }],
    [
      path("LeaseTimeToLive"),
      { kind: "unary", handle: (call, bytes) => timeToLive(context, call, bytes) },
    ],
    [path("LeaseLeases"), { kind: "unary", handle: (call) => leases(context, call) }],
    [path("LeaseKeepAlive"), { kind: "stream", handle: (call) => keepAlive(context, call) }],
  ];
}

function grant(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const { member, writer } = context;
  const request = decodeLeaseGrantRequest(bytes);
  if (request.ttlSeconds > LEASE_TTL_SECONDS_MAX) return failCall(call, errors.LeaseTTLTooLarge);
  // Id and TTL are settled before the proposal, so that every member stores the same (DV-06).
  const leaseGrant = {
    id: request.id === 0n ? member.newLeaseId() : request.id,
    ttlSeconds: member.effectiveTtlSeconds(request.ttlSeconds),
  };
  member.propose(
    { kind: "leaseGrant", leaseGrant },
    {
      done: (response) => {
        if (response.kind !== "leaseGrant") return failCall(call, errors.Stopped);
        writer.reset();
        encodeLeaseGrantResponse(writer, headerOf(member, response.revision), {
          id: response.id,
          ttlSeconds: response.ttlSeconds,
        });
        call.respond(writer.view());
      },
      refused: (error) => failCall(call, error),
    },
  );
}

function revoke(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const { member, writer } = context;
  const leaseRevoke = decodeLeaseRevokeRequest(bytes);
  member.propose(
    { kind: "leaseRevoke", leaseRevoke },
    {
      done: (response) => {
        if (response.kind !== "leaseRevoke") return failCall(call, errors.Stopped);
        writer.reset();
        encodeLeaseRevokeResponse(writer, headerOf(member, response.revision));
        call.respond(writer.view());
      },
      refused: (error) => failCall(call, error),
    },
  );
}

function keepAlive(context: RpcContext, call: ServerStream): void {
  const { member, writer } = context;
  let pending = 0;
  let isHalfClosed = false;
  const settled = () => {
    pending -= 1;
    if (pending < KEEP_ALIVES_PENDING_MAX) call.resumeMessages();
    if (isHalfClosed && pending === 0) call.end();
  };
  call.onMessage = (bytes) => {
    const { id } = decodeLeaseKeepAliveRequest(bytes);
    pending += 1;
    if (pending >= KEEP_ALIVES_PENDING_MAX) call.pauseMessages();
    // The header is taken before the renewal (LE-04).
    const header = headerOf(member, member.currentRevision);
    member.keepAlive(id, {
      done: (ttlSeconds) => {
        writer.reset();
        encodeLeaseKeepAliveResponse(writer, header, { id, ttlSeconds });
        if (!call.send(writer.view())) call.pauseMessages();
        settled();
      },
      refused: (error) => {
        // Before a half-closed stream could be ended as if all had gone well (LE-04).
        failCall(call, error);
        settled();
      },
    });
  };
  call.onDrain = () => call.resumeMessages();
  call.onHalfClose = () => {
    isHalfClosed = true;
    if (pending === 0) call.end();
  };
}

function timeToLive(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const { member } = context;
  const request = decodeMessage(LeaseTimeToLiveRequestSchema, bytes);
  member.leaseTimes(request.ID, request.keys, {
    done: (times) =>
      attempt(context, call, () =>
        call.respond(
          encodeMessage(LeaseTimeToLiveResponseSchema, {
            header: coldHeader(context),
            ID: request.ID,
            TTL: BigInt(times.ttlSeconds),
            grantedTTL: BigInt(times.grantedTtlSeconds),
            keys: times.keys.map(bytesFromLatin1),
          }),
        ),
      ),
    refused: (error) => failCall(call, error),
  });
}

function leases(context: RpcContext, call: ServerStream): void {
  call.respond(
    encodeMessage(LeaseLeasesResponseSchema, {
      header: coldHeader(context),
      leases: context.member.leases().map((id) => ({ ID: id })),
    }),
  );
}
