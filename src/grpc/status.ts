/**
 * gRPC status on the wire: percent-encoded messages, timeouts, and the mapping from HTTP/2 errors.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, grpc/doc/http-grpc-status-mapping.md.
 */
import { Code } from "../errors/index.ts";
import { ErrorCode } from "../http2/index.ts";
import { STATUS_MESSAGE_BYTES_MAX } from "./limits.ts";

const NEEDS_ENCODING = /[^ -$&-~]/;

/** `grpc-message`: UTF-8 with all but printable ASCII (and `%`) as %XX. */
export function encodeStatusMessage(message: string): string {
  if (message.length <= STATUS_MESSAGE_BYTES_MAX && !NEEDS_ENCODING.test(message)) return message;
  let out = "";
  for (const byte of Buffer.from(message.slice(0, STATUS_MESSAGE_BYTES_MAX), "utf8")) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    out += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

/** Takes what is not valid %XX as it stands. */
export function decodeStatusMessage(text: string): string {
  if (!text.includes("%")) return text;
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const hex = text[at] === "%" ? text.slice(at + 1, at + 3) : "";
    if (/^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      at += 2;
    } else {
      bytes.push(text.charCodeAt(at) & 0xff);
    }
  }
  return Buffer.from(bytes).toString("utf8");
}

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** Milliseconds of a `grpc-timeout`; NaN when it is malformed. */
export function parseTimeout(text: string): number {
  const length = text.length;
  const unit = UNIT_MS[text[length - 1] ?? ""];
  if (unit === undefined || length < 2 || length > 9) return Number.NaN;
  let value = 0;
  for (let at = 0; at < length - 1; at += 1) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value * unit;
}

/** `timeoutMs` as a `grpc-timeout` of at most eight digits, rounded up. */
export function formatTimeout(timeoutMs: number): string {
  if (timeoutMs <= 0) return "0n";
  const micros = Math.ceil(timeoutMs * 1000);
  if (micros < 100_000_000) return `${micros}u`;
  const millis = Math.ceil(timeoutMs);
  if (millis < 100_000_000) return `${millis}m`;
  const seconds = Math.ceil(timeoutMs / 1000);
  if (seconds < 100_000_000) return `${seconds}S`;
  return `${Math.min(Math.ceil(seconds / 3600), 99_999_999)}H`;
}

/** What a client makes of a stream that was reset. */
export function codeOfReset(errorCode: number): Code {
  switch (errorCode) {
    case ErrorCode.REFUSED_STREAM:
      return Code.UNAVAILABLE;
    case ErrorCode.CANCEL:
      return Code.CANCELLED;
    case ErrorCode.ENHANCE_YOUR_CALM:
      return Code.RESOURCE_EXHAUSTED;
    case ErrorCode.INADEQUATE_SECURITY:
      return Code.PERMISSION_DENIED;
    default:
      return Code.INTERNAL;
  }
}

/** What a client makes of an HTTP status without a gRPC one. */
export function codeOfHttpStatus(status: number): Code {
  switch (status) {
    case 400:
      return Code.INTERNAL;
    case 401:
      return Code.UNAUTHENTICATED;
    case 403:
      return Code.PERMISSION_DENIED;
    case 404:
      return Code.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return Code.UNAVAILABLE;
    default:
      return Code.UNKNOWN;
  }
}
