/** Random values of the hot messages, with the edges of each type among them. */
import { type Key, latin1FromBytes, type Prng } from "../../src/base/index.ts";
import {
  type Compare,
  type ConfState,
  type DeleteRangeRequest,
  type Entry,
  type KeyValue,
  marshalKeyValue,
  type PutRequest,
  type RangeRequest,
  type RangeResponse,
  type RequestOp,
  type ResponseHeader,
  type ResponseOp,
  type Snapshot,
  type TxnRequest,
  type TxnResponse,
  type WatchEvent,
} from "../../src/wire/index.ts";

const SAFE_MAX = Number.MAX_SAFE_INTEGER;
const UINTS = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 49, SAFE_MAX];
const INTS = [...UINTS, -1, -128, -(2 ** 31), -(2 ** 32), -SAFE_MAX];
const BIG_UINTS = [0n, 0n, 1n, 127n, 128n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n];
const BIG_INTS = [0n, 0n, 1n, 128n, 2n ** 62n, 2n ** 63n - 1n, -1n, -(2n ** 63n)];
const LENGTHS = [0, 1, 8, 60, 127, 128, 300];

export const uint = (prng: Prng): number => prng.pick(UINTS);
export const int = (prng: Prng): number => prng.pick(INTS);
export const bigUint = (prng: Prng): bigint => prng.pick(BIG_UINTS);
export const bigInt = (prng: Prng): bigint => prng.pick(BIG_INTS);
export const bool = (prng: Prng): boolean => prng.chance(0.5);
export const enumValue = (prng: Prng): number => prng.pick([0, 0, 1, 2, 4, 77, -1, 2 ** 31 - 1]);
export const bytes = (prng: Prng): Buffer => prng.bytes(prng.pick(LENGTHS));
export const key = (prng: Prng): Key => latin1FromBytes(bytes(prng));
export const text = (prng: Prng): string =>
  prng.pick([
    "",
    "3.7.0",
    "root",
    "http://127.0.0.1:2379",
    "d\u00e9j\u00e0 \u{1f511}",
    "x".repeat(130),
  ]);

export function list<T>(prng: Prng, make: (prng: Prng) => T): T[] {
  return Array.from({ length: prng.pick([0, 0, 1, 2, 5]) }, () => make(prng));
}

export const header = (prng: Prng): ResponseHeader => ({
  clusterId: bigUint(prng),
  memberId: bigUint(prng),
  revision: int(prng),
  raftTerm: uint(prng),
});

export const keyValue = (prng: Prng): KeyValue => ({
  key: key(prng),
  createRevision: int(prng),
  modRevision: int(prng),
  version: int(prng),
  value: bytes(prng),
  lease: bigInt(prng),
});

export const pair = (prng: Prng): Buffer => marshalKeyValue(keyValue(prng));
export const maybePair = (prng: Prng): Buffer | undefined => (bool(prng) ? pair(prng) : undefined);

export const rangeRequest = (prng: Prng): RangeRequest => ({
  key: key(prng),
  rangeEnd: key(prng),
  limit: int(prng),
  revision: int(prng),
  sortOrder: enumValue(prng),
  sortTarget: enumValue(prng),
  serializable: bool(prng),
  keysOnly: bool(prng),
  countOnly: bool(prng),
  minModRevision: int(prng),
  maxModRevision: int(prng),
  minCreateRevision: int(prng),
  maxCreateRevision: int(prng),
});

export const putRequest = (prng: Prng): PutRequest => ({
  key: key(prng),
  value: bytes(prng),
  lease: bigInt(prng),
  prevKv: bool(prng),
  ignoreValue: bool(prng),
  ignoreLease: bool(prng),
});

export const deleteRangeRequest = (prng: Prng): DeleteRangeRequest => ({
  key: key(prng),
  rangeEnd: key(prng),
  prevKv: bool(prng),
});

export const rangeResponse = (prng: Prng, revision = int(prng)): RangeResponse => ({
  revision,
  kvs: list(prng, pair),
  more: bool(prng),
  count: int(prng),
});

function operand(prng: Prng): Compare["operand"] {
  switch (prng.below(6)) {
    case 0:
      return { kind: "version", value: int(prng) };
    case 1:
      return { kind: "createRevision", value: int(prng) };
    case 2:
      return { kind: "modRevision", value: int(prng) };
    case 3:
      return { kind: "value", value: bytes(prng) };
    case 4:
      return { kind: "lease", value: bigInt(prng) };
    default:
      return undefined;
  }
}

const compare = (prng: Prng): Compare => ({
  result: enumValue(prng),
  target: enumValue(prng),
  key: key(prng),
  rangeEnd: key(prng),
  operand: operand(prng),
});

function requestOp(prng: Prng, depth: number): RequestOp {
  switch (prng.below(depth > 0 ? 5 : 4)) {
    case 0:
      return { kind: "range", range: rangeRequest(prng) };
    case 1:
      return { kind: "put", put: putRequest(prng) };
    case 2:
      return { kind: "deleteRange", deleteRange: deleteRangeRequest(prng) };
    case 3:
      return { kind: "none" };
    default:
      return { kind: "txn", txn: txnRequest(prng, depth - 1) };
  }
}

export const txnRequest = (prng: Prng, depth = 2): TxnRequest => ({
  compare: list(prng, compare),
  success: list(prng, () => requestOp(prng, depth)),
  failure: list(prng, () => requestOp(prng, depth)),
});

function responseOp(prng: Prng, depth: number): ResponseOp {
  switch (prng.below(depth > 0 ? 4 : 3)) {
    case 0:
      return { kind: "range", range: rangeResponse(prng) };
    case 1:
      return { kind: "put", put: { revision: int(prng), prevKv: maybePair(prng) } };
    case 2:
      return {
        kind: "deleteRange",
        deleteRange: { revision: int(prng), deleted: int(prng), prevKvs: list(prng, pair) },
      };
    default:
      return { kind: "txn", txn: txnResponse(prng, int(prng), depth - 1) };
  }
}

export const txnResponse = (prng: Prng, revision: number, depth = 2): TxnResponse => ({
  revision,
  succeeded: bool(prng),
  responses: list(prng, () => responseOp(prng, depth)),
});

export const watchEvent = (prng: Prng): WatchEvent => ({
  type: prng.pick(["put", "delete"] as const),
  kv: pair(prng),
  prevKv: maybePair(prng),
});

export const entry = (prng: Prng): Entry => ({
  type: prng.below(3),
  term: uint(prng),
  index: uint(prng),
  data: bytes(prng),
});

export const confState = (prng: Prng): ConfState => ({
  voters: list(prng, bigUint),
  learners: list(prng, bigUint),
  votersOutgoing: list(prng, bigUint),
  learnersNext: list(prng, bigUint),
  autoLeave: bool(prng),
});

export const snapshot = (prng: Prng): Snapshot => ({
  data: bytes(prng),
  metadata: { confState: confState(prng), index: uint(prng), term: uint(prng) },
});
