/**
 * Fields as proto3 writes them: a tag and a value, nothing at all for a zero.
 *
 * A tag is `field number << 3 | wire type`; the codecs write it as one number, with the field's
 * number and name beside it, as in proto/.
 */
import { type ByteWriter, sizeOfBig, sizeOfBytes, sizeOfInt, sizeOfUint } from "../base/index.ts";

export const EMPTY: Buffer = Buffer.alloc(0);

export function fieldUint(writer: ByteWriter, tag: number, value: number): void {
  if (value === 0) return;
  writer.uint(tag);
  writer.uint(value);
}

/** Also for enums, which are int32 and sign-extended like an int64. */
export function fieldInt(writer: ByteWriter, tag: number, value: number): void {
  if (value === 0) return;
  writer.uint(tag);
  writer.int(value);
}

export function fieldBig(writer: ByteWriter, tag: number, value: bigint): void {
  if (value === 0n) return;
  writer.uint(tag);
  writer.big(value);
}

export function fieldBool(writer: ByteWriter, tag: number, value: boolean): void {
  if (!value) return;
  writer.uint(tag);
  writer.byte(1);
}

export function fieldBytes(writer: ByteWriter, tag: number, value: Uint8Array): void {
  if (value.length === 0) return;
  writer.uint(tag);
  writer.bytes(value);
}

export function fieldLatin1(writer: ByteWriter, tag: number, value: string): void {
  if (value.length === 0) return;
  writer.uint(tag);
  writer.latin1(value);
}

export function fieldUtf8(writer: ByteWriter, tag: number, value: string): void {
  if (value.length === 0) return;
  writer.uint(tag);
  writer.utf8(value);
}

/** Sizes of the same, for fields 1 to 15 (a tag of one byte). */
export function sizeFieldUint(value: number): number {
  return value === 0 ? 0 : 1 + sizeOfUint(value);
}

export function sizeFieldInt(value: number): number {
  return value === 0 ? 0 : 1 + sizeOfInt(value);
}

export function sizeFieldBig(value: bigint): number {
  return value === 0n ? 0 : 1 + sizeOfBig(value);
}

export function sizeFieldBool(value: boolean): number {
  return value ? 2 : 0;
}

/** For bytes and one-byte strings of `count` bytes. */
export function sizeFieldBytes(count: number): number {
  return count === 0 ? 0 : 1 + sizeOfBytes(count);
}
