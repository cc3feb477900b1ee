/**
 * etcdserverpb.ResponseHeader: field 1 of every response.
 *
 * A response of its own gets the whole header, which rpc/ hands in; one inside a transaction gets
 * the revision alone (FR-30).
 */
import { ByteReader, type ByteWriter } from "../base/index.ts";
import {
  fieldBig,
  fieldInt,
  fieldUint,
  sizeFieldBig,
  sizeFieldInt,
  sizeFieldUint,
} from "./fields.ts";
import type { ResponseHeader } from "./messages.ts";

/** The header's own fields, without tag and length. At most 44 bytes. */
export function encodeHeader(writer: ByteWriter, header: ResponseHeader): void {
  fieldBig(writer, 8, header.clusterId); // 1
  fieldBig(writer, 16, header.memberId); // 2
  fieldInt(writer, 24, header.revision); // 3
  fieldUint(writer, 32, header.raftTerm); // 4
}

export function sizeHeader(header: ResponseHeader): number {
  return (
    sizeFieldBig(header.clusterId) +
    sizeFieldBig(header.memberId) +
    sizeFieldInt(header.revision) +
    sizeFieldUint(header.raftTerm)
  );
}

/** Field 1 of a response: tag, length and header. */
export function encodeHeaderField(writer: ByteWriter, header: ResponseHeader): void {
  writer.byte(10);
  const mark = writer.beginMessage();
  encodeHeader(writer, header);
  writer.endMessage(mark);
}

export function sizeHeaderField(header: ResponseHeader): number {
  return 2 + sizeHeader(header);
}

/** Field 1 of a response inside a transaction. */
export function encodeInnerHeaderField(writer: ByteWriter, revision: number): void {
  writer.byte(10);
  writer.byte(sizeFieldInt(revision));
  fieldInt(writer, 24, revision);
}

export function sizeInnerHeaderField(revision: number): number {
  return 2 + sizeFieldInt(revision);
}

export function emptyHeader(): ResponseHeader {
  return { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };
}

/** Reads to the reader's end into `header`, over what is there (protobuf merges). */
export function readHeader(reader: ByteReader, header: ResponseHeader): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8: // 1 cluster_id
        header.clusterId = reader.bigUint();
        break;
      case 16: // 2 member_id
        header.memberId = reader.bigUint();
        break;
      case 24: // 3 revision
        header.revision = reader.int();
        break;
      case 32: // 4 raft_term
        header.raftTerm = reader.uint();
        break;
      default:
        reader.skip(tag);
    }
  }
}

/** Only the revision of the header field whose tag was just read; `revision` when it has none. */
export function readHeaderRevision(reader: ByteReader, revision: number): number {
  const outer = reader.enter();
  let found = revision;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 24) found = reader.int();
    else reader.skip(tag);
  }
  reader.leave(outer);
  return found;
}

export function decodeHeader(bytes: Buffer, lo = 0, hi = bytes.length): ResponseHeader {
  const header = emptyHeader();
  readHeader(new ByteReader(bytes, lo, hi), header);
  return header;
}

/** The header of any response message (its field 1). */
export function decodeHeaderOf(response: Buffer): ResponseHeader {
  const reader = new ByteReader(response);
  const header = emptyHeader();
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 10) {
      const outer = reader.enter();
      readHeader(reader, header);
      reader.leave(outer);
    } else {
      reader.skip(tag);
    }
  }
  return header;
}
