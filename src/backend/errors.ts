import type { Table } from "./types.ts";

/** A record whose checksum does not fit: what was read is not what was written. */
export class CorruptRecord extends Error {
  readonly table: Table;
  readonly key: Buffer;
  readonly found: number;
  readonly wanted: number;

  /** `file` is where the record is kept, if that is known already. */
  constructor(table: Table, key: Buffer, found: number, wanted: number, file?: string) {
    const place = file === undefined ? "" : `${file}, `;
    super(
      `corrupt record in ${place}table "${table}", key ${key.toString("hex")}: ` +
        `checksum found ${hex(found)}, wanted ${hex(wanted)}`,
    );
    this.name = "CorruptRecord";
    this.table = table;
    this.key = key;
    this.found = found;
    this.wanted = wanted;
  }
}

/** A table whose rows cannot be as they were written, whatever their checksums say. */
export class DamagedTable extends Error {
  readonly table: Table;

  constructor(table: Table, detail: string, cause?: unknown) {
    super(`damaged table "${table}": ${detail}`, cause === undefined ? undefined : { cause });
    this.name = "DamagedTable";
    this.table = table;
  }
}

/** The medium refused a write or a sync; `code` is Node's or LMDB's, such as ENOSPC. */
export class BackendFailed extends Error {
  readonly code: string;

  constructor(message: string, code: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "BackendFailed";
    this.code = code;
  }
}

/** The file is no store, or one that cannot be read: `code` says what LMDB calls it. */
export class DamagedFile extends BackendFailed {
  constructor(message: string, code: string, cause?: unknown) {
    super(message, code, cause);
    this.name = "DamagedFile";
  }
}

/** LMDB's own numbers that speak of the file, and not of space, readers or the way it is used. */
const DAMAGE_CODES: ReadonlySet<string> = new Set([
  "DAMAGED",
  "LMDB -30798",
  "LMDB -30797",
  "LMDB -30796",
  "LMDB -30795",
  "LMDB -30794",
  "LMDB -30793",
  "LMDB -30784",
  "LMDB -30782",
  "LMDB -30781",
  "LMDB -30780",
]);

/** `code` is what the writing thread calls an error. */
export function backendError(message: string, code: string): BackendFailed {
  const isDamage = DAMAGE_CODES.has(code);
  return isDamage ? new DamagedFile(message, code) : new BackendFailed(message, code);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
