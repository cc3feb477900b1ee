/** Batches of a watch in every format. */
import { ByteWriter } from "../../base/index.ts";
import type { KeyValue, ResponseHeader, WatchEvent } from "../../client/index.ts";
import { encodeWatchResponse } from "../../wire/index.ts";
import type { Printable } from "../context.ts";
import { headerFields, headerJson, keyValueFields, keyValueJson, keyValueLines } from "./header.ts";
import { type GoJson, goJson, omitEmpty } from "./json.ts";
import { keyValueProto } from "./kv-proto.ts";

/** What is shown at once: events, a sign of progress, or the end of the watch. */
export interface Shown {
  readonly header: ResponseHeader;
  readonly events: readonly WatchEvent[];
  /** Set when the watch was ended by the server. */
  readonly end?: { readonly compactRevision: number; readonly reason: string };
}

export interface WatchStyle {
  readonly isHex: boolean;
  readonly minor: number;
}

export function printWatch(shown: Shown, style: WatchStyle): Printable {
  const { header, events } = shown;
  return {
    simple: () => Buffer.concat(events.flatMap((event) => eventLines(event, style.isHex))),
    json: () => `${goJson(watchJson(shown, style.minor))}\n`,
    fields: () =>
      headerFields(header, style.isHex, style.minor) +
      events.map((event) => eventFields(event, style)).join(""),
    protobuf: () => watchProto(shown),
  };
}

export function eventName({ type }: WatchEvent): string {
  return type === "put" ? "PUT" : "DELETE";
}

function eventLines(event: WatchEvent, isHex: boolean): Buffer[] {
  const name = Buffer.from(`${eventName(event)}\n`);
  return [name, ...pairsOf(event).map((kv) => keyValueLines(kv, isHex))];
}

function pairsOf({ kv, prevKv }: WatchEvent): KeyValue[] {
  return prevKv === undefined ? [kv] : [prevKv, kv];
}

function eventFields(event: WatchEvent, style: WatchStyle): string {
  const { kv, prevKv } = event;
  const before = prevKv === undefined ? "" : keyValueFields("Prev", prevKv, style);
  return `"Type" : ${eventName(event)}\n${before}${keyValueFields("", kv, style)}`;
}

function watchJson({ header, events, end }: Shown, minor: number): GoJson {
  return {
    Header: headerJson(header),
    Events: events.map(eventJson),
    CompactRevision: end?.compactRevision ?? 0,
    Canceled: end !== undefined,
    Created: false,
    CancelReason: minor < 7 ? undefined : (end?.reason ?? ""),
  };
}

function eventJson({ type, kv, prevKv }: WatchEvent): GoJson {
  return omitEmpty({
    type: type === "put" ? 0 : 1,
    kv: keyValueJson(kv),
    prev_kv: prevKv === undefined ? undefined : keyValueJson(prevKv),
  });
}

function watchProto({ header, events, end }: Shown): Buffer {
  const writer = new ByteWriter();
  encodeWatchResponse(writer, {
    header,
    watchId: 0,
    created: false,
    canceled: end !== undefined,
    compactRevision: end?.compactRevision ?? 0,
    cancelReason: "",
    fragment: false,
    events: events.map(({ type, kv, prevKv }) => ({
      type,
      kv: keyValueProto(kv),
      prevKv: prevKv === undefined ? undefined : keyValueProto(prevKv),
    })),
  });
  return writer.take();
}
