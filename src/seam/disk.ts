/**
 * The file system as the durable rooms see it. Errors are rejections that carry Node's `code`
 * (ENOENT, ENOSPC, EIO ...). Paths are absolute or relative to the process.
 */
export interface OpenFile {
  readonly path: string;
  /** Writes all of `bytes` at `offset`. `bytes` is borrowed until the promise settles. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Writes all of `bytes` at `offset` and makes them durable, data and size, in one step. */
  writeDurable(bytes: Uint8Array, offset: number): Promise<void>;
  /** Fills `into` from `offset`; resolves to the bytes read, fewer only at the end of the file. */
  read(into: Uint8Array, offset: number): Promise<number>;
  size(): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  /** Data and size are on the medium (fdatasync). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  /** "create" fails with EEXIST; "write" needs the file to exist, as does "read". */
  open(path: string, mode: "read" | "write" | "create"): Promise<OpenFile>;
  /** Names in a directory, sorted; ENOENT rejects. */
  list(directory: string): Promise<string[]>;
  exists(path: string): Promise<boolean>;
  makeDirectory(path: string, mode?: number): Promise<void>;
  rename(source: string, target: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes renames, creations and removals in `directory` durable. */
  syncDirectory(directory: string): Promise<void>;
  readFile(path: string): Promise<Buffer>;
  /** Of the disk that `path` is on: what an unprivileged process may still use, and all of it. */
  space(path: string): Promise<DiskSpaceFound>;
}

export interface DiskSpaceFound {
  readonly freeBytes: number;
  readonly totalBytes: number;
}
