/**
 * RangeResponse: whole, inside a transaction, and in pieces.
 *
 * The order on the wire is header, pairs, more, count. So a large range can be sent without being
 * held: `sizeRangeResponse` from the sum of `sizeFramedPair`, then the head, each pair behind its
 * frame, and the tail.
 */
import { ByteReader, type ByteWriter, sizeOfBytes } from "../base/index.ts";
import { fieldBool, fieldInt, sizeFieldBool, sizeFieldInt } from "./fields.ts";
import {
  encodeHeaderField,
  encodeInnerHeaderField,
  readHeaderRevision,
  sizeHeaderField,
  sizeInnerHeaderField,
} from "./header.ts";
import type { EncodedKeyValue, RangeResponse, ResponseHeader } from "./messages.ts";

export function encodeRangeResponse(
  writer: ByteWriter,
  header: ResponseHeader,
  response: RangeResponse,
): void {
  encodeRangeHead(writer, header);
  encodePairs(writer, response.kvs);
  encodeRangeTail(writer, response.more, response.count);
}

/** `revision` is the header's; the pairs are views into `bytes`. */
export function decodeRangeResponse(bytes: Buffer, lo = 0, hi = bytes.length): RangeResponse {
  const response: RangeResponse = { revision: 0, kvs: [], more: false, count: 0 };
  readRangeResponse(new ByteReader(bytes, lo, hi), response);
  return response;
}

export function readRangeResponse(reader: ByteReader, response: RangeResponse): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 18) response.kvs.push(reader.bytes());
    else if (tag === 10) response.revision = readHeaderRevision(reader, response.revision);
    else if (tag === 24) response.more = reader.bool();
    else if (tag === 32) response.count = reader.int();
    else reader.skip(tag);
  }
}

/* In pieces */

export function encodeRangeHead(writer: ByteWriter, header: ResponseHeader): void {
  encodeHeaderField(writer, header); // 1
}

/** Tag and length in front of one pair of `pairBytes` bytes. */
export function encodePairFrame(writer: ByteWriter, pairBytes: number): void {
  writer.byte(18); // 2
  writer.uint(pairBytes);
}

/** Bytes that a pair of `pairBytes` bytes takes in the response, its frame included. */
export function sizeFramedPair(pairBytes: number): number {
  return 1 + sizeOfBytes(pairBytes);
}

export function encodeRangeTail(writer: ByteWriter, more: boolean, count: number): void {
  fieldBool(writer, 24, more); // 3
  fieldInt(writer, 32, count); // 4
}

export function sizeRangeTail(more: boolean, count: number): number {
  return sizeFieldBool(more) + sizeFieldInt(count);
}

/** `framedPairsBytes` is the sum of `sizeFramedPair` over all pairs. */
export function sizeRangeResponse(
  header: ResponseHeader,
  framedPairsBytes: number,
  more: boolean,
  count: number,
): number {
  return sizeHeaderField(header) + framedPairsBytes + sizeRangeTail(more, count);
}

export function sizeFramedPairs(kvs: readonly EncodedKeyValue[]): number {
  let size = 0;
  for (let at = 0; at < kvs.length; at += 1) {
    size += sizeFramedPair((kvs[at] as EncodedKeyValue).length);
  }
  return size;
}

function encodePairs(writer: ByteWriter, kvs: readonly EncodedKeyValue[]): void {
  for (let at = 0; at < kvs.length; at += 1) {
    writer.byte(18); // 2
    writer.bytes(kvs[at] as EncodedKeyValue);
  }
}

/* Inside a transaction */

export function encodeInnerRangeResponse(writer: ByteWriter, response: RangeResponse): void {
  encodeInnerHeaderField(writer, response.revision);
  encodePairs(writer, response.kvs);
  encodeRangeTail(writer, response.more, response.count);
}

export function sizeInnerRangeResponse(response: RangeResponse): number {
  return (
    sizeInnerHeaderField(response.revision) +
    sizeFramedPairs(response.kvs) +
    sizeRangeTail(response.more, response.count)
  );
}

/* RangeStream */

/**
 * RangeStreamResponse { range_response = 1 }. `header` only with the last message, where `more` and
 * `count` stand too; earlier ones hold pairs alone (RS-04).
 */
export function encodeRangeStreamResponse(
  writer: ByteWriter,
  header: ResponseHeader | undefined,
  response: RangeResponse,
): void {
  const pairsBytes = sizeFramedPairs(response.kvs);
  writer.byte(10); // 1
  if (header === undefined) {
    writer.uint(pairsBytes);
    encodePairs(writer, response.kvs);
    return;
  }
  writer.uint(sizeRangeResponse(header, pairsBytes, response.more, response.count));
  encodeRangeResponse(writer, header, response);
}

/** The inner RangeResponse; merging all of a stream's gives the unary answer (RS-04). */
export function decodeRangeStreamResponse(bytes: Buffer, lo = 0, hi = bytes.length): RangeResponse {
  const reader = new ByteReader(bytes, lo, hi);
  const response: RangeResponse = { revision: 0, kvs: [], more: false, count: 0 };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag !== 10) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    readRangeResponse(reader, response);
    reader.leave(outer);
  }
  return response;
}
