/**
 * What a snapshot is made of, and what the callers bring along.
 *
 * A source gives the same rows each time it is opened: it stands on one consistent view of the
 * store (a read transaction) that the caller opens before planning and closes after the last byte.
 */
export interface BucketRow {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Rows of one bucket, ascending by key without repeats, in slices of any bounded size. */
export interface RowCursor {
  /** The next slice; undefined after the last. The slice is read before `next` is called again. */
  next(): readonly BucketRow[] | undefined | Promise<readonly BucketRow[] | undefined>;
  close?(): void;
}

export interface BucketSource {
  readonly name: string;
  open(): RowCursor;
}

/** SHA-256, brought by the caller (node:crypto's createHash fits). */
export interface StreamHash {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}
