/**
 * What a server needs of a request's header block, worked out once per distinct block: the block
 * keeps it in `context`, so that repeated requests cost one load.
 */
import { Code } from "../errors/index.ts";
import type { HeaderBlock } from "../http2/index.ts";
import { type MessageFault, noDecompressor } from "./message-reader.ts";
import type { MethodStats } from "./method-stats.ts";
import { parseTimeout } from "./status.ts";
import type { Method } from "./types.ts";

export interface MethodEntry {
  readonly method: Method;
  readonly stats: MethodStats;
}

/** The methods of a server, with their counters. */
export interface Registry {
  readonly entries: ReadonlyMap<string, MethodEntry>;
  readonly services: ReadonlySet<string>;
}

export class RequestHead {
  readonly path: string;
  /** False: plain HTTP. */
  readonly isGrpc: boolean;
  readonly entry: MethodEntry | undefined;
  /** Why the call cannot even begin; set whenever `isGrpc` and `entry` is not. */
  readonly refusal: MessageFault | undefined;
  /** Infinity when the client did not say. */
  readonly timeoutMs: number;
  /** grpc-encoding, "" when absent. */
  readonly encoding: string;

  constructor(block: HeaderBlock, registry: Registry) {
    let contentType = "";
    let timeout: string | undefined;
    let encoding = "";
    for (const { name, value } of block.fields) {
      if (name === "content-type") contentType = value;
      else if (name === "grpc-timeout") timeout = value;
      else if (name === "grpc-encoding") encoding = value;
    }
    const path = block.path ?? "";
    this.path = path;
    this.isGrpc = isGrpcType(contentType) && block.method === "POST";
    this.encoding = encoding;
    this.timeoutMs = timeout === undefined ? Number.POSITIVE_INFINITY : parseTimeout(timeout);
    const entry = this.isGrpc ? registry.entries.get(path) : undefined;
    this.refusal = this.isGrpc ? this.#refusal(entry, registry, timeout) : undefined;
    this.entry = this.refusal === undefined ? entry : undefined;
  }

  #refusal(
    entry: MethodEntry | undefined,
    registry: Registry,
    timeout: string | undefined,
  ): MessageFault | undefined {
    if (Number.isNaN(this.timeoutMs)) {
      const message = `malformed grpc-timeout: ${JSON.stringify(timeout)}`;
      return { code: Code.INTERNAL, message };
    }
    if (entry === undefined) return unknownMethod(this.path, registry);
    if (this.encoding !== "" && this.encoding !== "identity") return noDecompressor(this.encoding);
    return undefined;
  }
}

/** "application/grpc", with a "+codec" or parameters. */
function isGrpcType(contentType: string): boolean {
  if (!contentType.startsWith("application/grpc")) return false;
  const next = contentType[16];
  return next === undefined || next === "+" || next === ";";
}

/** grpc-go's words. */
function unknownMethod(path: string, registry: Registry): MessageFault {
  const slash = path.lastIndexOf("/");
  let message: string;
  if (slash <= 0) {
    message = `malformed method name: ${JSON.stringify(path)}`;
  } else {
    const service = path.slice(1, slash);
    const method = path.slice(slash + 1);
    message = registry.services.has(service)
      ? `unknown method ${method} for service ${service}`
      : `unknown service ${service}`;
  }
  return { code: Code.UNIMPLEMENTED, message };
}
