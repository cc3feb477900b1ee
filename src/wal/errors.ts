/** Where a log is broken, and how it was told. */
export interface WalFault {
  readonly path: string;
  /** Byte position of the frame or field in the file. */
  readonly offset: number;
  readonly found: string;
  readonly wanted: string;
}

/**
 * The log holds what no crash can leave behind. The member must not start on it: entries that it
 * has acknowledged may be missing.
 */
export class WalCorrupt extends Error {
  readonly path: string;
  readonly offset: number;
  readonly found: string;
  readonly wanted: string;

  constructor(fault: WalFault) {
    super(
      `write-ahead log ${fault.path} is broken at offset ${fault.offset}: ` +
        `found ${fault.found}, wanted ${fault.wanted}; ` +
        "put back a copy of the whole data directory",
    );
    this.name = "WalCorrupt";
    this.path = fault.path;
    this.offset = fault.offset;
    this.found = fault.found;
    this.wanted = fault.wanted;
  }
}

/** A write or sync failed, or the log was closed: nothing can be appended any more. */
export class WalFailed extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "WalFailed";
  }
}
