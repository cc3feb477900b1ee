/**
 * The requests of each case. A request is encoded once, when the run is prepared; sending it
 * patches a key of 8 bytes into the one buffer, which the channel copies. Only compare-and-put,
 * whose revisions change, encodes each time.
 */
import { ByteWriter, type Prng } from "../../src/base/index.ts";
import {
  CompareResult,
  CompareTarget,
  decodeTxnResponse,
  emptyPutRequest,
  emptyRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
  marshal,
  type TxnRequest,
} from "../../src/wire/index.ts";
import { LARGE_RANGE_KEYS, type OperationName, VALUE_BYTES } from "../cases.ts";
import { KV_PUT, KV_RANGE, KV_TXN } from "./channel.ts";
import { KEY_BYTES, orderedKey, writeOrderedKey, writeUint32 } from "./keys.ts";

export interface Operation {
  /** Of the request that `prepare` made last. */
  path: string;
  message: Uint8Array;
  /** Makes the next request of a client. */
  prepare(client: number): void;
  /** Whether the response `bytes[lo, hi)` is what it must be. */
  accepts(client: number, bytes: Buffer, lo: number, hi: number): boolean;
}

/** Where a message made with PLACEHOLDER as a key has it; a key is `tag, length, bytes`. */
const PLACEHOLDER = "\u00f1\u00f2\u00f3\u00f4\u00f5\u00f6\u00f7\u00f8";

export function makeOperation(
  name: Exclude<OperationName, "lease-keepalive">,
  prng: Prng,
  preloadKeys: number,
  clients: number,
): Operation {
  switch (name) {
    case "put":
      return new Put(prng, 0);
    case "range":
      return new PointRange(prng, preloadKeys, false);
    case "serializable-range":
      return new PointRange(prng, preloadKeys, true);
    case "range-1000-keys":
      return new LargeRange(prng, preloadKeys);
    case "mixed":
      return new Mixed(prng, preloadKeys);
    case "compare-and-put":
      return new CompareAndPut(prng, clients);
  }
}

/** Of a random key out of 2^64, or out of the first `keys` ordered ones. */
class Put implements Operation {
  readonly path = KV_PUT;
  readonly message: Buffer;
  readonly #keyOffset: number;
  readonly #prng: Prng;
  readonly #keys: number;

  constructor(prng: Prng, keys: number) {
    const value = prng.bytes(VALUE_BYTES);
    const request = { ...emptyPutRequest(), key: PLACEHOLDER, value };
    this.message = marshal(encodePutRequest, request);
    this.#keyOffset = this.message.indexOf(PLACEHOLDER, 0, "latin1");
    this.#prng = prng;
    this.#keys = keys;
  }

  prepare(): void {
    if (this.#keys > 0) {
      writeOrderedKey(this.message, this.#keyOffset, this.#prng.below(this.#keys));
      return;
    }
    writeUint32(this.message, this.#keyOffset, this.#prng.uint32());
    writeUint32(this.message, this.#keyOffset + 4, this.#prng.uint32());
  }

  accepts(_client: number, _bytes: Buffer, lo: number, hi: number): boolean {
    return hi - lo > 0;
  }
}

class PointRange implements Operation {
  readonly path = KV_RANGE;
  readonly message: Buffer;
  readonly #keyOffset: number;
  readonly #prng: Prng;
  readonly #keys: number;

  constructor(prng: Prng, keys: number, serializable: boolean) {
    const request = { ...emptyRangeRequest(), key: PLACEHOLDER, serializable };
    this.message = marshal(encodeRangeRequest, request);
    this.#keyOffset = this.message.indexOf(PLACEHOLDER, 0, "latin1");
    this.#prng = prng;
    this.#keys = keys;
  }

  prepare(): void {
    writeOrderedKey(this.message, this.#keyOffset, this.#prng.below(this.#keys));
  }

  accepts(_client: number, _bytes: Buffer, lo: number, hi: number): boolean {
    return hi - lo > VALUE_BYTES;
  }
}

class LargeRange implements Operation {
  readonly path = KV_RANGE;
  readonly message: Buffer;
  readonly #keyOffset: number;
  readonly #endOffset: number;
  readonly #prng: Prng;
  readonly #starts: number;

  constructor(prng: Prng, keys: number) {
    const request = { ...emptyRangeRequest(), key: PLACEHOLDER, rangeEnd: PLACEHOLDER };
    this.message = marshal(encodeRangeRequest, request);
    this.#keyOffset = this.message.indexOf(PLACEHOLDER, 0, "latin1");
    this.#endOffset = this.message.indexOf(PLACEHOLDER, this.#keyOffset + KEY_BYTES, "latin1");
    this.#prng = prng;
    this.#starts = keys - LARGE_RANGE_KEYS;
  }

  prepare(): void {
    const first = this.#prng.below(this.#starts);
    writeOrderedKey(this.message, this.#keyOffset, first);
    writeOrderedKey(this.message, this.#endOffset, first + LARGE_RANGE_KEYS);
  }

  accepts(_client: number, _bytes: Buffer, lo: number, hi: number): boolean {
    return hi - lo > LARGE_RANGE_KEYS * VALUE_BYTES;
  }
}

class Mixed implements Operation {
  path = KV_RANGE;
  message: Uint8Array;
  readonly #put: Put;
  readonly #range: PointRange;
  readonly #prng: Prng;

  constructor(prng: Prng, keys: number) {
    this.#put = new Put(prng, keys);
    this.#range = new PointRange(prng, keys, false);
    this.#prng = prng;
    this.message = this.#range.message;
  }

  prepare(): void {
    const operation = this.#prng.chance(0.1) ? this.#put : this.#range;
    operation.prepare();
    this.path = operation.path;
    this.message = operation.message;
  }

  accepts(_client: number, _bytes: Buffer, lo: number, hi: number): boolean {
    return hi - lo > 0;
  }
}

/** Each client owns a key and puts it if it still has the revision of the client's last put. */
class CompareAndPut implements Operation {
  readonly path = KV_TXN;
  message: Uint8Array;
  readonly #writer = new ByteWriter();
  readonly #requests: { txn: TxnRequest; operand: { value: number } }[] = [];

  constructor(prng: Prng, clients: number) {
    const value = prng.bytes(VALUE_BYTES);
    for (let client = 0; client < clients; client += 1) {
      const key = orderedKey(client);
      const operand = { kind: "modRevision" as const, value: 0 };
      const result = CompareResult.EQUAL;
      const compare = { result, target: CompareTarget.MOD, key, rangeEnd: "", operand };
      const put = { ...emptyPutRequest(), key, value };
      const txn = { compare: [compare], success: [{ kind: "put" as const, put }], failure: [] };
      this.#requests.push({ txn, operand });
    }
    this.message = Buffer.alloc(0);
  }

  prepare(client: number): void {
    const request = this.#requests[client];
    if (request === undefined) throw new RangeError(`no client ${client}`);
    this.#writer.reset();
    encodeTxnRequest(this.#writer, request.txn);
    this.message = this.#writer.view();
  }

  accepts(client: number, bytes: Buffer, lo: number, hi: number): boolean {
    const response = decodeTxnResponse(bytes, lo, hi);
    const request = this.#requests[client];
    if (request === undefined || !response.succeeded) return false;
    request.operand.value = response.revision;
    return true;
  }
}
