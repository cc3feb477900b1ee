/**
 * What a member keeps of its lives and of what the others promised (decision 0029):
 *
 *   <data>/member/epoch    JSON, sealed (sealed-file.ts): the present life, durable before a word
 *                          of it is said
 *   <data>/member/floors   CRC-32C and a peer note: what the others are known to have promised
 *
 * and, on another volume if the operator names a directory for it, <witness>/<member id>, which
 * has the life and the member's own floor.
 */
import { crc32c } from "../base/index.ts";
import type { Disk } from "../seam/index.ts";
import { decodePeerNote, encodePeerNote, type Floor, type Life } from "../wire/index.ts";
import type { DataDirectory } from "./data-directory.ts";
import { unsealed, writeSealed } from "./sealed-file.ts";
import { readWhole, writeWhole } from "./whole-file.ts";

export interface StoredLife extends Life {
  /** Why this member is quarantined. */
  readonly lost?: string;
}

const CRC_BYTES = 4;
const NO_LIFE: Life = { epoch: 0, nonce: 0, base: 0 };

/**
 * A life after the one that is stored; not durable yet. Of a file that is damaged nothing is known
 * but that the life is later than all that were counted: the clock then gives its number.
 */
export async function nextLife(
  disk: Disk,
  path: string,
  { nonce, wallMs }: { readonly nonce: number; readonly wallMs: number },
): Promise<{ life: StoredLife; isDamaged: boolean }> {
  const stored = await readLife(disk, path);
  if (stored === undefined) {
    return { life: { epoch: Math.floor(wallMs / 1_000), nonce, base: 0 }, isDamaged: true };
  }
  return { life: { ...stored, epoch: stored.epoch + 1, nonce }, isDamaged: false };
}

/** Epoch 0 when there is none; undefined when the file is damaged. */
export async function readLife(disk: Disk, path: string): Promise<StoredLife | undefined> {
  const bytes = await readWhole(disk, path);
  return bytes === undefined ? NO_LIFE : lifeOf(unsealed(bytes));
}

function lifeOf(text: string | undefined): StoredLife | undefined {
  if (text === undefined) return undefined;
  let parsed: Record<string, unknown> | null;
  try {
    parsed = JSON.parse(text) as Record<string, unknown> | null;
  } catch {
    return undefined;
  }
  const { epoch, nonce, base, lost } = parsed ?? {};
  if (!isU32(epoch) || !isU32(nonce) || !isU32(base)) return undefined;
  return { epoch, nonce, base, ...(typeof lost === "string" ? { lost } : {}) };
}

function isU32(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32 - 1;
}

export function writeLife(disk: Disk, path: string, life: StoredLife): Promise<void> {
  return writeSealed(disk, path, JSON.stringify(life));
}

export function writeFloors(disk: Disk, path: string, floors: readonly Floor[]): Promise<void> {
  const note = encodePeerNote({ life: NO_LIFE, floors, epochs: [] });
  const crc = Buffer.alloc(CRC_BYTES);
  crc.writeUInt32LE(crc32c(0, note) >>> 0);
  return writeWhole(disk, path, Buffer.concat([crc, note]));
}

/** Undefined when the file is damaged: what the others promised is not known any more. */
export async function readFloors(disk: Disk, path: string): Promise<Floor[] | undefined> {
  const bytes = await readWhole(disk, path);
  if (bytes === undefined) return [];
  if (bytes.length < CRC_BYTES) return undefined;
  const note = bytes.subarray(CRC_BYTES);
  if (crc32c(0, note) >>> 0 !== bytes.readUInt32LE(0)) return undefined;
  return [...(decodePeerNote(note)?.floors ?? [])];
}

export function lifePaths({ root }: DataDirectory): { life: string; floors: string } {
  return { life: `${root}/member/epoch`, floors: `${root}/member/floors` };
}
