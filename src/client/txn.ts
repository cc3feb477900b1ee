/** Transactions: compares and operations as plain values, put together by a builder. */
import type { Key } from "../base/index.ts";
import {
  type Compare as WireCompare,
  CompareResult,
  CompareTarget,
  type RequestOp,
  type TxnRequest,
} from "../wire/index.ts";
import { deleteRequestOf, putRequestOf, rangeRequestOf, spanOf, valueOf } from "./kv-messages.ts";
import type {
  Bytes,
  CallOptions,
  DeleteRequest,
  GetRequest,
  KeySpan,
  PutRequest,
  TxnResponse,
} from "./types.ts";

export type Relation = "=" | "!=" | ">" | "<";

/** One condition; made by `compare`. */
export interface Compare {
  readonly key: Bytes;
  /** With a span: it must hold for all keys in it. */
  readonly span: KeySpan;
  readonly relation: Relation;
  readonly operand: NonNullable<WireCompare["operand"]>;
}

/** One operation; made by `op`. */
export type Op =
  | { readonly kind: "get"; readonly key: Bytes; readonly get: GetRequest }
  | {
      readonly kind: "put";
      readonly key: Bytes;
      readonly value: Bytes;
      readonly put: PutRequest;
    }
  | { readonly kind: "delete"; readonly key: Bytes; readonly request: DeleteRequest }
  | { readonly kind: "txn"; readonly txn: TxnParts };

/** A transaction as data. All compares must hold for `success` to run, else `failure` does. */
export interface TxnParts {
  readonly compare: readonly Compare[];
  readonly success: readonly Op[];
  readonly failure: readonly Op[];
}

/** Conditions of a transaction: `compare.version("key", "=", 0)` = the key does not exist. */
export const compare = {
  version: (key: Bytes, relation: Relation, value: number, span: KeySpan = {}): Compare => {
    return { key, span, relation, operand: { kind: "version", value } };
  },
  createRevision: (key: Bytes, relation: Relation, value: number, span: KeySpan = {}): Compare => {
    return { key, span, relation, operand: { kind: "createRevision", value } };
  },
  modRevision: (key: Bytes, relation: Relation, value: number, span: KeySpan = {}): Compare => {
    return { key, span, relation, operand: { kind: "modRevision", value } };
  },
  value: (key: Bytes, relation: Relation, value: Bytes, span: KeySpan = {}): Compare => {
    return { key, span, relation, operand: { kind: "value", value: valueOf(value) } };
  },
  lease: (key: Bytes, relation: Relation, value: bigint, span: KeySpan = {}): Compare => {
    return { key, span, relation, operand: { kind: "lease", value } };
  },
};

/** Operations of a transaction. */
export const op = {
  get: (key: Bytes, get: GetRequest = {}): Op => ({ kind: "get", key, get }),
  put: (key: Bytes, value: Bytes, put: PutRequest = {}): Op => ({ kind: "put", key, value, put }),
  delete: (key: Bytes, request: DeleteRequest = {}): Op => ({ kind: "delete", key, request }),
  txn: (txn: TxnParts): Op => ({ kind: "txn", txn }),
};

const RESULTS: Readonly<Record<Relation, number>> = {
  "=": CompareResult.EQUAL,
  "!=": CompareResult.NOT_EQUAL,
  ">": CompareResult.GREATER,
  "<": CompareResult.LESS,
};
const TARGETS = {
  version: CompareTarget.VERSION,
  createRevision: CompareTarget.CREATE,
  modRevision: CompareTarget.MOD,
  value: CompareTarget.VALUE,
  lease: CompareTarget.LEASE,
} as const;

export function txnRequestOf(parts: TxnParts, namespace: Key): TxnRequest {
  return {
    compare: parts.compare.map(({ key, span, relation, operand }) => ({
      ...spanOf(key, span, namespace),
      result: RESULTS[relation],
      target: TARGETS[operand.kind],
      operand,
    })),
    success: parts.success.map((part) => requestOpOf(part, namespace)),
    failure: parts.failure.map((part) => requestOpOf(part, namespace)),
  };
}

function requestOpOf(part: Op, namespace: Key): RequestOp {
  switch (part.kind) {
    case "get":
      return { kind: "range", range: rangeRequestOf(part.key, part.get, namespace) };
    case "put":
      return { kind: "put", put: putRequestOf(part.key, part.value, part.put, namespace) };
    case "delete": {
      const deleteRange = deleteRequestOf(part.key, part.request, namespace);
      return { kind: "deleteRange", deleteRange };
    }
    case "txn":
      return { kind: "txn", txn: txnRequestOf(part.txn, namespace) };
  }
}

/**
 * Collects a transaction: `kv.txn().if(...).andThen(...).orElse(...).commit()`. Each call adds to
 * what stands there.
 */
export class TxnBuilder implements TxnParts {
  readonly compare: Compare[] = [];
  readonly success: Op[] = [];
  readonly failure: Op[] = [];
  readonly #commit: (parts: TxnParts, options: CallOptions) => Promise<TxnResponse>;

  constructor(commit: (parts: TxnParts, options: CallOptions) => Promise<TxnResponse>) {
    this.#commit = commit;
  }

  if(...compares: readonly Compare[]): this {
    this.compare.push(...compares);
    return this;
  }

  /** Runs when all compares hold. */
  andThen(...ops: readonly Op[]): this {
    this.success.push(...ops);
    return this;
  }

  /** Runs when one does not. */
  orElse(...ops: readonly Op[]): this {
    this.failure.push(...ops);
    return this;
  }

  commit(options: CallOptions = {}): Promise<TxnResponse> {
    return this.#commit(this, options);
  }
}
