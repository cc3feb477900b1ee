/**
 * The Watch service's messages.
 *
 * A batch of events goes to many watchers, and only header and watch id differ between them; both
 * stand before the events (field 11) on the wire. So the events are encoded once (`encodeEvents`),
 * and each watcher gets a short prefix of its own in front of the shared bytes:
 *
 *   const events = marshal(encodeEvents, batch);              // once per batch
 *   encodeWatchResponseHead(writer, header, watchId, false);  // per watcher, header made once,
 *   writer.raw(events);                                       // then the shared bytes
 */
import { ByteReader, type ByteWriter, MalformedError, sizeOfUint } from "../base/index.ts";
import {
  EMPTY,
  fieldBool,
  fieldInt,
  fieldLatin1,
  fieldUtf8,
  sizeFieldBool,
  sizeFieldInt,
} from "./fields.ts";
import { emptyHeader, encodeHeaderField, readHeader } from "./header.ts";
import { encodePairField, mergePair } from "./kv.ts";
import type { WatchCreateRequest, WatchEvent, WatchRequest, WatchResponse } from "./messages.ts";
import { sizeFramedPair } from "./range-response.ts";

/* WatchRequest */

export function decodeWatchRequest(bytes: Buffer, lo = 0, hi = bytes.length): WatchRequest {
  const reader = new ByteReader(bytes, lo, hi);
  let request: WatchRequest = { kind: "none" };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag !== 10 && tag !== 18 && tag !== 26) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    if (tag === 10) {
      if (request.kind !== "create") request = { kind: "create", create: emptyCreate() };
      readCreate(reader, request.create);
    } else if (tag === 18) {
      const before: number = request.kind === "cancel" ? request.watchId : 0;
      request = { kind: "cancel", watchId: readCancel(reader, before) };
    } else {
      request = { kind: "progress" };
      while (reader.pos < reader.end) reader.skip(reader.tag());
    }
    reader.leave(outer);
  }
  return request;
}

function emptyCreate(): WatchCreateRequest {
  return {
    key: "",
    rangeEnd: "",
    startRevision: 0,
    progressNotify: false,
    filters: [],
    prevKv: false,
    watchId: 0,
    fragment: false,
  };
}

function readCreate(reader: ByteReader, create: WatchCreateRequest): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: // 1 key
        create.key = reader.latin1();
        break;
      case 18: // 2 range_end
        create.rangeEnd = reader.latin1();
        break;
      case 24: // 3 start_revision
        create.startRevision = reader.int();
        break;
      case 32: // 4 progress_notify
        create.progressNotify = reader.bool();
        break;
      case 40: // 5 filters
        addFilter(create.filters, reader.int32());
        break;
      case 42: {
        // 5 filters, packed
        const outer = reader.enter();
        while (reader.pos < reader.end) addFilter(create.filters, reader.int32());
        reader.leave(outer);
        break;
      }
      case 48: // 6 prev_kv
        create.prevKv = reader.bool();
        break;
      case 56: // 7 watch_id
        create.watchId = reader.int();
        break;
      case 64: // 8 fragment
        create.fragment = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
}

/** Only those that mean something, and once, so that the list stays short whatever is sent. */
function addFilter(filters: number[], filter: number): void {
  if ((filter === 0 || filter === 1) && !filters.includes(filter)) filters.push(filter);
}

function readCancel(reader: ByteReader, before: number): number {
  let watchId = before;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) watchId = reader.int();
    else reader.skip(tag);
  }
  return watchId;
}

export function encodeWatchRequest(writer: ByteWriter, request: WatchRequest): void {
  if (request.kind === "none") return;
  writer.byte(request.kind === "create" ? 10 : request.kind === "cancel" ? 18 : 26);
  const mark = writer.beginMessage();
  if (request.kind === "create")
    encodeCreate(writer, request.create); // 1
  else if (request.kind === "cancel") fieldInt(writer, 8, request.watchId); // 2
  writer.endMessage(mark);
}

function encodeCreate(writer: ByteWriter, create: WatchCreateRequest): void {
  fieldLatin1(writer, 10, create.key); // 1
  fieldLatin1(writer, 18, create.rangeEnd); // 2
  fieldInt(writer, 24, create.startRevision); // 3
  fieldBool(writer, 32, create.progressNotify); // 4
  if (create.filters.length > 0) {
    writer.byte(42); // 5, packed
    const mark = writer.beginMessage();
    for (const filter of create.filters) writer.int(filter);
    writer.endMessage(mark);
  }
  fieldBool(writer, 48, create.prevKv); // 6
  fieldInt(writer, 56, create.watchId); // 7
  fieldBool(writer, 64, create.fragment); // 8
}

/* WatchResponse */

export function encodeWatchResponse(writer: ByteWriter, response: WatchResponse): void {
  encodeHeaderField(writer, response.header); // 1
  fieldInt(writer, 16, response.watchId); // 2
  fieldBool(writer, 24, response.created); // 3
  fieldBool(writer, 32, response.canceled); // 4
  fieldInt(writer, 40, response.compactRevision); // 5
  fieldUtf8(writer, 50, response.cancelReason); // 6
  fieldBool(writer, 56, response.fragment); // 7
  encodeEvents(writer, response.events); // 11
}

/** The part that all watchers of a batch share. */
export function encodeEvents(writer: ByteWriter, events: readonly WatchEvent[]): void {
  for (let at = 0; at < events.length; at += 1) encodeEventField(writer, events[at] as WatchEvent);
}

/** One event as field 11, tag and length included. */
export function encodeEventField(writer: ByteWriter, event: WatchEvent): void {
  writer.byte(90); // 11
  writer.uint(sizeEvent(event));
  if (event.type === "delete") {
    writer.byte(8); // 1
    writer.byte(1);
  }
  encodePairField(writer, 18, event.kv); // 2
  encodePairField(writer, 26, event.prevKv); // 3
}

function sizeEvent(event: WatchEvent): number {
  let size = sizeFramedPair(event.kv.length) + (event.type === "delete" ? 2 : 0);
  if (event.prevKv !== undefined) size += sizeFramedPair(event.prevKv.length);
  return size;
}

/** Bytes of one event in a response, its frame included: what splitting into fragments counts. */
export function sizeEventField(event: WatchEvent): number {
  const size = sizeEvent(event);
  return 1 + sizeOfUint(size) + size;
}

/**
 * What stands in front of the events for one watcher. `headerField` is field 1 as
 * `encodeHeaderField` writes it: the same for all watchers of a revision.
 */
export function encodeWatchResponseHead(
  writer: ByteWriter,
  headerField: Buffer,
  watchId: number,
  fragment: boolean,
): void {
  writer.raw(headerField); // 1
  fieldInt(writer, 16, watchId); // 2
  fieldBool(writer, 56, fragment); // 7
}

export function sizeWatchResponseHead(
  headerField: Buffer,
  watchId: number,
  fragment: boolean,
): number {
  return headerField.length + sizeFieldInt(watchId) + sizeFieldBool(fragment);
}

/** Pairs are views into `bytes`. */
export function decodeWatchResponse(bytes: Buffer, lo = 0, hi = bytes.length): WatchResponse {
  const reader = new ByteReader(bytes, lo, hi);
  const response: WatchResponse = {
    header: emptyHeader(),
    watchId: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment: false,
    events: [],
  };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        // 1 header
        const outer = reader.enter();
        readHeader(reader, response.header);
        reader.leave(outer);
        break;
      }
      case 16: // 2 watch_id
        response.watchId = reader.int();
        break;
      case 24: // 3 created
        response.created = reader.bool();
        break;
      case 32: // 4 canceled
        response.canceled = reader.bool();
        break;
      case 40: // 5 compact_revision
        response.compactRevision = reader.int();
        break;
      case 50: // 6 cancel_reason
        response.cancelReason = reader.utf8();
        break;
      case 56: // 7 fragment
        response.fragment = reader.bool();
        break;
      case 90: {
        // 11 events
        const outer = reader.enter();
        response.events.push(readEvent(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return response;
}

function readEvent(reader: ByteReader): WatchEvent {
  let type = 0;
  let kv: Buffer | undefined;
  let prevKv: Buffer | undefined;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) type = reader.int32();
    else if (tag === 18) kv = mergePair(kv, reader.bytes());
    else if (tag === 26) prevKv = mergePair(prevKv, reader.bytes());
    else reader.skip(tag);
  }
  if (type !== 0 && type !== 1) throw new MalformedError("event of an unknown type", reader.pos);
  return { type: type === 0 ? "put" : "delete", kv: kv ?? EMPTY, prevKv };
}
