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

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
