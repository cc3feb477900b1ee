/**
 * What a failed call of a method allows (FR-34). "read": it changes nothing, so it is tried again
 * on any UNAVAILABLE. "write": only when it was certainly not processed.
 */
export type Repeat = "read" | "write";

/** A call of one request and one response. */
export interface UnaryMethod<Q, R> {
  /** "/etcdserverpb.KV/Put". */
  readonly path: string;
  readonly repeat: Repeat;
  encode(request: Q): Buffer;
  /** Views into `bytes` are allowed. Throws MalformedError. */
  decode(bytes: Buffer): R;
}

/** A call with messages in one direction or both. */
export interface StreamMethod<Q, R> {
  readonly path: string;
  encode(request: Q): Buffer;
  decode(bytes: Buffer): R;
}
