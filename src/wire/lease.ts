/** The Lease service's messages, the stored lease (leasepb) and lease checkpoints. */
import { ByteReader, type ByteWriter } from "../base/index.ts";
import { fieldBig, fieldInt } from "./fields.ts";
import { encodeHeaderField } from "./header.ts";
import type {
  LeaseCheckpoint,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseRecord,
  LeaseRevokeRequest,
  ResponseHeader,
} from "./messages.ts";

export function decodeLeaseGrantRequest(
  bytes: Buffer,
  lo = 0,
  hi = bytes.length,
): LeaseGrantRequest {
  const request: LeaseGrantRequest = { ttlSeconds: 0, id: 0n };
  readLeaseGrantRequest(new ByteReader(bytes, lo, hi), request);
  return request;
}

export function readLeaseGrantRequest(reader: ByteReader, request: LeaseGrantRequest): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) request.ttlSeconds = reader.int();
    else if (tag === 16) request.id = reader.bigInt();
    else reader.skip(tag);
  }
}

export function encodeLeaseGrantRequest(writer: ByteWriter, request: LeaseGrantRequest): void {
  fieldInt(writer, 8, request.ttlSeconds); // 1 TTL
  fieldBig(writer, 16, request.id); // 2 ID
}

export function encodeLeaseGrantResponse(
  writer: ByteWriter,
  header: ResponseHeader,
  response: LeaseGrantResponse,
): void {
  encodeHeaderField(writer, header); // 1
  fieldBig(writer, 16, response.id); // 2 ID
  fieldInt(writer, 24, response.ttlSeconds); // 3 TTL
}

export function decodeLeaseGrantResponse(
  bytes: Buffer,
  lo = 0,
  hi = bytes.length,
): LeaseGrantResponse {
  return readIdAndTtl(new ByteReader(bytes, lo, hi));
}

export function decodeLeaseRevokeRequest(
  bytes: Buffer,
  lo = 0,
  hi = bytes.length,
): LeaseRevokeRequest {
  const request: LeaseRevokeRequest = { id: 0n };
  readLeaseId(new ByteReader(bytes, lo, hi), request);
  return request;
}

export function encodeLeaseRevokeRequest(writer: ByteWriter, request: LeaseRevokeRequest): void {
  fieldBig(writer, 8, request.id); // 1 ID
}

export function encodeLeaseRevokeResponse(writer: ByteWriter, header: ResponseHeader): void {
  encodeHeaderField(writer, header); // 1
}

export function decodeLeaseKeepAliveRequest(
  bytes: Buffer,
  lo = 0,
  hi = bytes.length,
): LeaseKeepAliveRequest {
  const request: LeaseKeepAliveRequest = { id: 0n };
  readLeaseId(new ByteReader(bytes, lo, hi), request);
  return request;
}

export function encodeLeaseKeepAliveRequest(
  writer: ByteWriter,
  request: LeaseKeepAliveRequest,
): void {
  fieldBig(writer, 8, request.id); // 1 ID
}

export function encodeLeaseKeepAliveResponse(
  writer: ByteWriter,
  header: ResponseHeader,
  response: LeaseKeepAliveResponse,
): void {
  encodeHeaderField(writer, header); // 1
  fieldBig(writer, 16, response.id); // 2 ID
  fieldInt(writer, 24, response.ttlSeconds); // 3 TTL
}

export function decodeLeaseKeepAliveResponse(
  bytes: Buffer,
  lo = 0,
  hi = bytes.length,
): LeaseKeepAliveResponse {
  return readIdAndTtl(new ByteReader(bytes, lo, hi));
}

/** A message whose only field is 1 ID. */
export function readLeaseId(reader: ByteReader, request: { id: bigint }): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) request.id = reader.bigInt();
    else reader.skip(tag);
  }
}

function readIdAndTtl(reader: ByteReader): { id: bigint; ttlSeconds: number } {
  const response = { id: 0n, ttlSeconds: 0 };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 16) response.id = reader.bigInt();
    else if (tag === 24) response.ttlSeconds = reader.int();
    else reader.skip(tag);
  }
  return response;
}

/* Stored and replicated */

/** leasepb.Lease, as in the table `lease`. */
export function encodeLeaseRecord(writer: ByteWriter, lease: LeaseRecord): void {
  fieldBig(writer, 8, lease.id); // 1 ID
  fieldInt(writer, 16, lease.ttlSeconds); // 2 TTL
  fieldInt(writer, 24, lease.remainingTtlSeconds); // 3 RemainingTTL
}

export function decodeLeaseRecord(bytes: Buffer, lo = 0, hi = bytes.length): LeaseRecord {
  const reader = new ByteReader(bytes, lo, hi);
  const lease: LeaseRecord = { id: 0n, ttlSeconds: 0, remainingTtlSeconds: 0 };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) lease.id = reader.bigInt();
    else if (tag === 16) lease.ttlSeconds = reader.int();
    else if (tag === 24) lease.remainingTtlSeconds = reader.int();
    else reader.skip(tag);
  }
  return lease;
}

/** LeaseCheckpointRequest { checkpoints = 1 }. */
export function encodeLeaseCheckpoints(
  writer: ByteWriter,
  checkpoints: readonly LeaseCheckpoint[],
): void {
  for (const checkpoint of checkpoints) {
    writer.byte(10); // 1
    const mark = writer.beginMessage();
    fieldBig(writer, 8, checkpoint.id); // 1 ID
    fieldInt(writer, 16, checkpoint.remainingTtlSeconds); // 2 remaining_TTL
    writer.endMessage(mark);
  }
}

/** Appends what is read to `checkpoints`. */
export function readLeaseCheckpoints(reader: ByteReader, checkpoints: LeaseCheckpoint[]): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag !== 10) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    const checkpoint: LeaseCheckpoint = { id: 0n, remainingTtlSeconds: 0 };
    while (reader.pos < reader.end) {
      const inner = reader.tag();
      if (inner === 8) checkpoint.id = reader.bigInt();
      else if (inner === 16) checkpoint.remainingTtlSeconds = reader.int();
      else reader.skip(inner);
    }
    checkpoints.push(checkpoint);
    reader.leave(outer);
  }
}
