/**
 * Which API versions the clients speak: metadata `client-api-version`, counted for the metric
 * etcd_server_client_requests_total (FR-22). Absent is "unknown"; one that is not UTF-8 is refused.
 */
import { Counter } from "../base/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import type { ServerCall } from "../grpc/index.ts";

/** Distinct versions that are counted; a client may send what it likes. Beyond: "other". */
const VERSIONS_MAX = 64;
const OTHER = "other";

export class ClientVersions {
  /** By "unary 3.7" or "stream unknown". */
  readonly counts = new Map<string, Counter>();
  readonly #unary = new Map<string, Counter>();
  readonly #stream = new Map<string, Counter>();

  /** Counts a call, or tells why it is refused. */
  note(call: ServerCall, isStream: boolean): EtcdError | undefined {
    const version = call.metadata("client-api-version") ?? "unknown";
    const known = isStream ? this.#stream : this.#unary;
    const counter = known.get(version) ?? this.#add(known, version, isStream);
    if (counter === undefined) return errors.InvalidClientAPIVersion;
    counter.value += 1;
    return undefined;
  }

  #add(known: Map<string, Counter>, version: string, isStream: boolean): Counter | undefined {
    if (!isUtf8(version)) return undefined;
    const name = known.size < VERSIONS_MAX ? version : OTHER;
    const counter = known.get(name) ?? new Counter();
    known.set(name, counter);
    this.counts.set(`${isStream ? "stream" : "unary"} ${name}`, counter);
    return counter;
  }
}

/** Header values are one-byte strings; replacement characters tell bytes that are no text. */
function isUtf8(value: string): boolean {
  const bytes = Buffer.from(value, "latin1");
  return Buffer.from(bytes.toString("utf8"), "utf8").equals(bytes);
}
