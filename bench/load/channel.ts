/** gRPC as the load needs it: callbacks on objects that live as long as the run, no promises. */

/** Who started a call. One object serves one call at a time, and many one after the other. */
export interface Caller {
  /** When true, messages are counted instead of kept: `onMessage` gets an empty piece. */
  readonly discards?: boolean;
  /** `bytes[lo, hi)` is one message, borrowed. */
  onMessage(bytes: Buffer, lo: number, hi: number): void;
  /** Once for each call, after its messages; `code` is the gRPC status, 0 = OK. */
  onEnd(code: number, text: string): void;
}

export interface OpenStream {
  /** `message` is copied before this returns. */
  send(message: Uint8Array): void;
}

export interface Channel {
  /** `message` is copied before this returns. A new call may be started from `onEnd`. */
  unary(path: string, message: Uint8Array, caller: Caller): void;
  stream(path: string, caller: Caller): OpenStream;
  /** Closes the connection at once; calls under way end with UNAVAILABLE. */
  close(): void;
  /** All bytes that have come, of every kind. */
  readonly receivedBytes: number;
}

export const KV_PUT = "/etcdserverpb.KV/Put";
export const KV_RANGE = "/etcdserverpb.KV/Range";
export const KV_TXN = "/etcdserverpb.KV/Txn";
export const WATCH = "/etcdserverpb.Watch/Watch";
export const LEASE_GRANT = "/etcdserverpb.Lease/LeaseGrant";
export const LEASE_KEEP_ALIVE = "/etcdserverpb.Lease/LeaseKeepAlive";

/** One call, its only message copied. For set-up work, not for measuring. */
export function callOnce(channel: Channel, path: string, message: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let answer: Buffer | undefined;
    channel.unary(path, message, {
      onMessage(bytes, lo, hi) {
        answer = Buffer.from(bytes.subarray(lo, hi));
      },
      onEnd(code, text) {
        if (code === 0 && answer !== undefined) resolve(answer);
        else reject(new Error(`${path}: status ${code}: ${text}`));
      },
    });
  });
}
