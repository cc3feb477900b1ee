import type { Code } from "./code.ts";
import type { EtcdError } from "./error.ts";

/** The codes as grpc-go prints them, by number. */
const CODE_NAMES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;

export function codeName(code: Code): string {
  return CODE_NAMES[code];
}

/** A status as Go prints it; etcd sends it as a watch's cancel reason (WA-07). */
export function statusText(error: EtcdError): string {
  return `rpc error: code = ${codeName(error.code)} desc = ${error.message}`;
}
