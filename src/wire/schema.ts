/**
 * Messages off the hot path, described by tables: a name for each field, with its number and kind.
 * What a message looks like follows from its table:
 *
 *     const DowngradeInfoSchema = message("etcdserverpb.DowngradeInfo", {
 *       enabled: [1, "bool"],
 *       targetVersion: [2, "string"],
 *     });
 *
 * A table costs nothing to load. What protobuf's own descriptors need at run time is 90 modules,
 * 12 MB and 50 ms of every program's start; tests hold the tables against them.
 */

/** What a value of each kind is once decoded; 64-bit integers are bigint, enums numbers. */
interface Scalars {
  bool: boolean;
  enum: number;
  uint32: number;
  int64: bigint;
  uint64: bigint;
  string: string;
  bytes: Buffer;
}

export type Scalar = keyof Scalars;

/**
 * Number and kind; "list" for repeated strings, bytes and messages (numbers, which would be packed,
 * do not occur), "map" for messages by text.
 */
export type Field =
  | readonly [number: number, kind: Scalar | Schema]
  | readonly [number: number, kind: "string" | "bytes" | Schema, many: "list"]
  | readonly [number: number, kind: Schema, many: "map"];

/** In the order of their numbers, which is that on the wire. */
export type Fields = Readonly<Record<string, Field>>;

export interface Schema<F extends Fields = Fields> {
  readonly typeName: string;
  readonly fields: F;
}

export function message<const F extends Fields>(typeName: string, fields: F): Schema<F> {
  return { typeName, fields };
}

type OneShape<K> =
  K extends Schema<infer F> ? MessageShape<F> : K extends Scalar ? Scalars[K] : never;

type FieldShape<F extends Field> = F extends readonly [number, infer K, "list"]
  ? OneShape<K>[]
  : F extends readonly [number, infer K, "map"]
    ? Record<string, OneShape<K>>
    : F[1] extends Schema
      ? OneShape<F[1]> | undefined
      : OneShape<F[1]>;

/** A decoded message: every field is there, a message that was not sent is undefined. */
export type MessageShape<F extends Fields> = { -readonly [K in keyof F]: FieldShape<F[K]> };

type OneInit<K> =
  K extends Schema<infer F>
    ? MessageInit<F>
    : K extends "bytes"
      ? Uint8Array
      : K extends Scalar
        ? Scalars[K]
        : never;

type FieldInit<F extends Field> = F extends readonly [number, infer K, "list"]
  ? readonly OneInit<K>[]
  : F extends readonly [number, infer K, "map"]
    ? Readonly<Record<string, OneInit<K>>>
    : OneInit<F[1]>;

/** A message to encode: what is absent or undefined is zero. */
export type MessageInit<F extends Fields> = {
  readonly [K in keyof F]?: FieldInit<F[K]> | undefined;
};
