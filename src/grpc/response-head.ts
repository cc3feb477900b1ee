/**
 * What a client needs of a response's header block or trailers, worked out once per distinct block.
 */
import { Code } from "../errors/index.ts";
import type { HeaderBlock } from "../http2/index.ts";
import { codeOfHttpStatus, decodeStatusMessage } from "./status.ts";

export class ResponseHead {
  /** From grpc-status; undefined when there is none. */
  readonly code: Code | undefined;
  readonly message: string;
  readonly encoding: string;
  /** Why this is no gRPC response; undefined when it is one. */
  readonly fault: { readonly code: Code; readonly message: string } | undefined;

  constructor(block: HeaderBlock, isTrailers: boolean) {
    let contentType = "";
    let status: string | undefined;
    let message = "";
    let encoding = "";
    for (const { name, value } of block.fields) {
      if (name === "grpc-status") status = value;
      else if (name === "grpc-message") message = decodeStatusMessage(value);
      else if (name === "content-type") contentType = value;
      else if (name === "grpc-encoding") encoding = value;
    }
    this.code = status === undefined ? undefined : codeOf(status);
    this.message = message;
    this.encoding = encoding;
    if (isTrailers || this.code !== undefined) {
      this.fault = undefined;
    } else if (block.status !== 200) {
      const text = `unexpected HTTP status code received from server: ${block.status}`;
      this.fault = { code: codeOfHttpStatus(block.status), message: text };
    } else if (!contentType.startsWith("application/grpc")) {
      const text = `unexpected content-type ${JSON.stringify(contentType)}`;
      this.fault = { code: Code.UNKNOWN, message: text };
    }
  }
}

/** A code that is not known is UNKNOWN, as the gRPC specification asks. */
function codeOf(status: string): Code {
  const code = /^[0-9]{1,2}$/.test(status) ? Number(status) : Code.UNKNOWN;
  return code <= Code.UNAUTHENTICATED ? (code as Code) : Code.UNKNOWN;
}
