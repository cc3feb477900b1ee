import { type Key } from "../base/index.ts";
import type { Core } from "./core.ts";
import {
  decodeDelete,
  decodePut,
  decodeRange,
  decodeTxn,
  deleteRequestOf,
  putRequestOf,
  rangeRequestOf,
} from "./kv-messages.ts";
import { METHODS, STREAMS } from "./methods.ts";
import { TxnBuilder, type TxnParts, txnRequestOf } from "./txn.ts";
import type {
  Bytes,
  CallOptions,
  CompactOptions,
  DeleteOptions,
  DeleteResponse,
  GetOptions,
  HeaderResponse,
  PutOptions,
  PutResponse,
  RangeResponse,
  TxnResponse,
} from "./types.ts";

/** Keys and values. With a namespace, keys go out behind it and come back without it. */
export class Kv {
  readonly #core: Core;
  readonly #namespace: Key;
  readonly #methods;

  constructor(core: Core, namespace: Key) {
    this.#core = core;
    this.#namespace = namespace;
    const strip = namespace.length;
    this.#methods = {
      range: { ...METHODS.range, decode: (bytes: Buffer) => decodeRange(bytes, strip) },
      put: { ...METHODS.put, decode: (bytes: Buffer) => decodePut(bytes, strip) },
      deleteRange: {
        ...METHODS.deleteRange,
        decode: (bytes: Buffer) => decodeDelete(bytes, strip),
      },
      txn: { ...METHODS.txn, decode: (bytes: Buffer) => decodeTxn(bytes, strip) },
    };
  }

  get(key: Bytes, options: GetOptions = {}): Promise<RangeResponse> {
    const request = rangeRequestOf(key, options, this.#namespace);
    return this.#core.unary(this.#methods.range, request, options);
  }

  /**
   * As `get`, but the server sends a large range in pieces and never holds all of it. Servers older
   * than 3.7 refuse with UNIMPLEMENTED, and all refuse orders but the keys' and revision bounds.
   */
  async getStream(key: Bytes, options: GetOptions = {}): Promise<RangeResponse> {
    const stream = await this.#core.stream(STREAMS.rangeStream, options);
    try {
      await stream.send(rangeRequestOf(key, options, this.#namespace));
      stream.halfClose();
      const pieces: Buffer[] = [];
      for await (const piece of stream) pieces.push(piece);
      return this.#methods.range.decode(Buffer.concat(pieces));
    } finally {
      stream.cancel();
    }
  }

  put(key: Bytes, value: Bytes, options: PutOptions = {}): Promise<PutResponse> {
    const request = putRequestOf(key, value, options, this.#namespace);
    return this.#core.unary(this.#methods.put, request, options);
  }

  delete(key: Bytes, options: DeleteOptions = {}): Promise<DeleteResponse> {
    const request = deleteRequestOf(key, options, this.#namespace);
    return this.#core.unary(this.#methods.deleteRange, request, options);
  }

  /** Gives up the history before `revision`. */
  compact(revision: number, options: CompactOptions = {}): Promise<HeaderResponse> {
    const request = { revision, physical: options.physical ?? false };
    return this.#core.unary(METHODS.compact, request, options);
  }

  /** A transaction to be filled; with `parts`: begun with what they hold. */
  txn(parts?: TxnParts): TxnBuilder {
    const builder = new TxnBuilder((whole, options) => this.commit(whole, options));
    if (parts === undefined) return builder;
    return builder
      .if(...parts.compare)
      .andThen(...parts.success)
      .orElse(...parts.failure);
  }

  commit(parts: TxnParts, options: CallOptions = {}): Promise<TxnResponse> {
    return this.#core.unary(this.#methods.txn, txnRequestOf(parts, this.#namespace), options);
  }
}
