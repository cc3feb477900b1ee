/** `get -w pretty`: pairs for people. */
import type { KeyValue, RangeResponse } from "../../client/index.ts";
import { quote } from "../print/quote.ts";
import { hexDump, readableText } from "./bytes.ts";
import { prettyJson } from "./json.ts";
import { colours, type Paint, plain } from "./paint.ts";
import { kubernetesObject, prettyProtobuf } from "./protobuf.ts";

export function prettyRange({ kvs }: RangeResponse, areColoursShown: boolean): string {
  const paint = areColoursShown ? colours : plain;
  return kvs.map((kv) => prettyPair(kv, paint)).join("\n");
}

function prettyPair(kv: KeyValue, paint: Paint): string {
  const key = readableText(kv.key);
  const name = key === undefined || key.includes("\n") ? quote(kv.key) : key;
  const lease = kv.lease === 0n ? "" : `, lease ${kv.lease.toString(16)}`;
  const note =
    `created at ${kv.createRevision}, modified at ${kv.modRevision}, ` +
    `version ${kv.version}${lease}, ${kv.value.length} bytes`;
  const value = prettyValue(kv.value, paint).replace(/^(?=.)/gm, "  ");
  return `${paint("key", name)}  ${paint("note", note)}\n${value}${value === "" ? "" : "\n"}`;
}

/** One value, no newline at its end: JSON, text, an object of Kubernetes, protobuf, bytes. */
export function prettyValue(value: Buffer, paint: Paint): string {
  const object = kubernetesObject(value);
  if (object !== undefined) {
    const head = paint("note", `Kubernetes ${object.apiVersion} ${object.kind}`);
    return `${head}\n${prettyProtobuf(object.raw, paint) ?? hexDump(object.raw)}`;
  }
  const text = readableText(value);
  if (text !== undefined) return prettyJson(text, paint) ?? text.replace(/\n$/, "");
  return prettyProtobuf(value, paint) ?? hexDump(value);
}
