/** A snapshot or store file that cannot be what it claims. */
export class SnapshotCorrupt extends Error {
  readonly path: string;
  /** Byte position in the file. */
  readonly offset: number;
  readonly found: string;
  readonly wanted: string;

  constructor(fault: { path: string; offset: number; found: string; wanted: string }) {
    const { path, offset, found, wanted } = fault;
    super(
      `snapshot file ${path} is broken at offset ${offset}: found ${found}, wanted ${wanted}; ` +
        "take another snapshot",
    );
    this.name = "SnapshotCorrupt";
    this.path = path;
    this.offset = offset;
    this.found = found;
    this.wanted = wanted;
  }
}
