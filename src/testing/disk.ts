/**
 * A disk in memory that loses what a crash loses (seam/Disk).
 *
 * Model: a file is sectors of 512 bytes. A write changes the cached sectors; `sync` puts all of
 * them on the medium, `writeDurable` those that it touches, each with the size. A crash decides for
 * every sector that is not on the medium, one by one, whether it got there, so writes are lost,
 * torn and reordered. Names are kept per directory: a crash keeps some first part of the creations,
 * renames and removals made since the last `syncDirectory`.
 * Files that were open at a crash are dead: all their calls reject with DiskCrashed; so do those
 * of a `session` taken before it.
 *
 * Use: `disk.crash(prng)` and go on with the same disk. Faults: `failNext`, `capacityBytes`,
 * `flip`.
 */
import type { Prng } from "../base/index.ts";
import type { Disk, DiskSpaceFound, OpenFile } from "../seam/index.ts";
import { DirectoryNode, FileNode, type Node, SECTOR_BYTES } from "./disk-nodes.ts";

export type DiskOperation =
  | "open"
  | "read"
  | "write"
  | "writeDurable"
  | "sync"
  | "truncate"
  | "rename";

/** A bit that was changed, and what its byte became. */
export interface Flip {
  readonly path: string;
  readonly offset: number;
  readonly bit: number;
  readonly flipped: number;
}

/** The process that made the call is gone. */
export class DiskCrashed extends Error {
  constructor() {
    super("the simulated machine has crashed");
    this.name = "DiskCrashed";
  }
}

function systemError(code: string, path: string): Error & { code: string } {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

class SimulatedFile implements OpenFile {
  readonly path: string;
  readonly #disk: SimulatedDisk;
  readonly #node: FileNode;
  readonly #mode: string;
  readonly #epoch: number;
  #isClosed = false;

  constructor(disk: SimulatedDisk, path: string, options: { node: FileNode; mode: string }) {
    this.path = path;
    this.#disk = disk;
    this.#node = options.node;
    this.#mode = options.mode;
    this.#epoch = disk.epoch;
  }

  #enter(operation?: DiskOperation, offset = 0, bytes = 0): void {
    if (this.#epoch !== this.#disk.epoch) throw new DiskCrashed();
    if (this.#isClosed) throw systemError("EBADF", this.path);
    if (operation === undefined) return;
    const isChange = operation !== "sync" && operation !== "read";
    if (isChange && this.#mode === "read") throw systemError("EBADF", this.path);
    this.#disk.enter(operation, this.path, offset, bytes);
  }

  /** `finish` comes in the same step as the check: no crash fits between. */
  async #leave(finish?: () => void): Promise<void> {
    await this.#disk.delay();
    if (this.#epoch !== this.#disk.epoch) throw new DiskCrashed();
    finish?.();
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    this.#enter("write", offset, bytes.length);
    this.#disk.allocate(this.#node, bytes.length, offset);
    this.#node.write(bytes, offset);
    this.#disk.interrupt();
    await this.#leave();
  }

  async writeDurable(bytes: Uint8Array, offset: number): Promise<void> {
    this.#enter("writeDurable", offset, bytes.length);
    this.#disk.allocate(this.#node, bytes.length, offset);
    this.#node.write(bytes, offset);
    this.#disk.interrupt();
    await this.#leave(() => this.#node.settle(offset, offset + bytes.length));
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    this.#enter("read", offset, into.length);
    const count = this.#node.read(into, offset);
    await this.#leave();
    return count;
  }

  async size(): Promise<number> {
    this.#enter();
    return this.#node.size;
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#enter("truncate", sizeBytes);
    this.#node.truncate(sizeBytes);
    this.#disk.interrupt();
    await this.#leave();
  }

  async sync(): Promise<void> {
    this.#enter("sync");
    this.#disk.interrupt();
    await this.#leave(() => this.#node.settle());
  }

  async close(): Promise<void> {
    this.#enter();
    this.#isClosed = true;
  }
}

/** All files at some moment. */
export type DiskImage = DirectoryNode;

export interface SimulatedDiskOptions {
  /** Awaited inside every operation; a crash meanwhile interrupts it. Default: one microtask. */
  readonly delay?: () => Promise<void>;
  /** Bytes that files may hold; a write beyond rejects with ENOSPC. */
  readonly capacityBytes?: number;
}

export class SimulatedDisk implements Disk {
  #root = new DirectoryNode();
  readonly delay: () => Promise<void>;
  /** May be changed at any time. */
  capacityBytes: number;
  /** Counts crashes; a file opened in an earlier one is dead. */
  epoch = 0;
  /** Operations by kind, to choose moments for faults. */
  readonly counts = new Map<DiskOperation, number>();
  /** Told of every call, for a trace. */
  onCall:
    | ((operation: DiskOperation, path: string, offset: number, bytes: number) => void)
    | undefined;
  /** Calls that were made to fail, and calls that a full disk refused. */
  failed = 0;
  refusedFull = 0;
  /** Sectors that crashes have lost. */
  sectorsLost = 0;
  #interruption: { after: number; readonly run: () => void } | undefined;
  #failures: { operation: DiskOperation; code: string; after: number }[] = [];

  constructor(options: SimulatedDiskOptions = {}) {
    this.delay = options.delay ?? (() => Promise.resolve());
    this.capacityBytes = options.capacityBytes ?? Number.MAX_SAFE_INTEGER;
  }

  /** The call of this kind that comes after `after` others rejects with `code`. */
  failNext(operation: DiskOperation, code: string, after = 0): void {
    this.#failures.push({ operation, code, after });
  }

  /**
   * Runs something inside a later call that changes a file, the one after `after` others: when its
   * bytes are on their way and not on the medium.
   */
  interruptNext(after: number, run: () => void): void {
    this.#interruption = { after, run };
  }

  cancelInterruption(): void {
    this.#interruption = undefined;
  }

  /** Called by files. */
  interrupt(): void {
    const planned = this.#interruption;
    if (planned === undefined) return;
    planned.after -= 1;
    if (planned.after >= 0) return;
    this.#interruption = undefined;
    planned.run();
  }

  /** The machine loses power: see the head of this file. */
  crash(prng: Prng): void {
    this.epoch += 1;
    this.#failures = [];
    this.#interruption = undefined;
    this.sectorsLost += this.#root.crash(prng);
  }

  /** What a power cut now would leave, at least; nothing that happens later changes it. */
  image(): DiskImage {
    return this.#root.image();
  }

  /**
   * The whole disk is again what `image` was taken of; what was open is dead. Directories of the
   * root that are named in `kept` are on other disks.
   */
  putBack(image: DiskImage, kept: readonly string[] = []): void {
    const now = this.#root.image();
    this.epoch += 1;
    this.#failures = [];
    this.#interruption = undefined;
    this.#root = image.image();
    for (const name of kept) {
      const node = now.durable.get(name);
      if (node === undefined) continue;
      this.#root.durable.set(name, node);
      this.#root.entries.set(name, node);
    }
  }

  /** Changes one bit on the medium. */
  flip(path: string, offset: number, bit: number): void {
    const node = this.#file(path);
    node.write(Buffer.of(this.#byteAt(path, offset) ^ (1 << bit)), offset);
    node.settle();
  }

  /** Changes the bit back, unless something else was written there since. */
  unflip({ path, offset, bit, flipped }: Flip): boolean {
    if (this.#find(path)?.kind !== "file" || this.#byteAt(path, offset) !== flipped) return false;
    this.flip(path, offset, bit);
    return true;
  }

  #byteAt(path: string, offset: number): number {
    const into = Buffer.alloc(1);
    this.#file(path).read(into, offset);
    return into[0] as number;
  }

  /** Changes any bit of any written sector; undefined when no wanted file has one. */
  flipAnywhere(prng: Prng, isWanted: (path: string) => boolean): Flip | undefined {
    const written: { path: string; sector: number }[] = [];
    this.#eachFile(this.#root, "", (path, node) => {
      if (!isWanted(path)) return;
      for (const sector of node.durable.keys()) written.push({ path, sector });
    });
    if (written.length === 0) return undefined;
    const { path, sector } = prng.pick(written);
    const offset = sector * SECTOR_BYTES + prng.below(SECTOR_BYTES);
    const bit = prng.below(8);
    if (offset >= this.#file(path).size) return undefined;
    this.flip(path, offset, bit);
    return { path, offset, bit, flipped: this.#byteAt(path, offset) };
  }

  #eachFile(
    directory: DirectoryNode,
    prefix: string,
    visit: (path: string, node: FileNode) => void,
  ): void {
    for (const [name, node] of directory.entries) {
      const path = `${prefix}/${name}`;
      if (node.kind === "file") visit(path, node);
      else this.#eachFile(node, path, visit);
    }
  }

  /** Puts a whole file on the medium, its name as well; its directory must be there. */
  place(path: string, bytes: Uint8Array): void {
    const { parent, name } = this.#locate(path);
    const node = new FileNode();
    node.write(bytes, 0);
    node.settle();
    parent.change((entries) => entries.set(name, node));
    parent.settle();
  }

  /** Called by files: throws the fault that was asked for. */
  enter(operation: DiskOperation, path: string, offset = 0, bytes = 0): void {
    this.onCall?.(operation, path, offset, bytes);
    this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1);
    for (const [position, failure] of this.#failures.entries()) {
      if (failure.operation !== operation) continue;
      if (failure.after > 0) {
        failure.after -= 1;
        continue;
      }
      this.#failures.splice(position, 1);
      this.failed += 1;
      throw systemError(failure.code, path);
    }
  }

  space(): Promise<DiskSpaceFound> {
    const totalBytes = this.capacityBytes;
    const isEndless = totalBytes === Number.MAX_SAFE_INTEGER;
    if (isEndless) return Promise.resolve({ freeBytes: totalBytes, totalBytes });
    return Promise.resolve({ freeBytes: Math.max(0, totalBytes - this.usedBytes()), totalBytes });
  }

  /**
   * Called by files before a write: sectors that hold nothing yet need room, zeros written ahead of
   * time give none, as on file systems that never write in place.
   */
  allocate(node: FileNode, count: number, offset: number): void {
    if (this.capacityBytes === Number.MAX_SAFE_INTEGER) return;
    const neededBytes = node.missingSectors(offset, count) * SECTOR_BYTES;
    if (neededBytes > 0 && this.usedBytes() + neededBytes > this.capacityBytes) {
      this.refusedFull += 1;
      throw systemError("ENOSPC", "write");
    }
  }

  /**
   * The disk as one life of a process sees it: after the next crash its calls reject with
   * DiskCrashed, so that what is left of that process can do no harm to its successor.
   */
  session(): Disk {
    const epoch = this.epoch;
    const alive = (): this => {
      if (this.epoch !== epoch) throw new DiskCrashed();
      return this;
    };
    return {
      open: async (path, mode) => alive().open(path, mode),
      list: async (directory) => alive().list(directory),
      exists: async (path) => alive().exists(path),
      makeDirectory: async (path) => alive().makeDirectory(path),
      space: async () => alive().space(),
      rename: async (source, target) => alive().rename(source, target),
      remove: async (path) => alive().remove(path),
      syncDirectory: async (directory) => alive().syncDirectory(directory),
      readFile: async (path) => alive().readFile(path),
    };
  }

  /** `finish` comes in the same step as the check: no crash fits between. */
  async #delayed<T>(finish: () => T): Promise<T> {
    const epoch = this.epoch;
    this.interrupt();
    await this.delay();
    if (epoch !== this.epoch) throw new DiskCrashed();
    return finish();
  }

  async open(path: string, mode: "read" | "write" | "create"): Promise<OpenFile> {
    this.enter("open", path);
    return this.#delayed(() => this.#openNow(path, mode));
  }

  #openNow(path: string, mode: "read" | "write" | "create"): OpenFile {
    const { parent, name } = this.#locate(path);
    const found = parent.entries.get(name);
    if (mode === "create") {
      if (found !== undefined) throw systemError("EEXIST", path);
      const node = new FileNode();
      parent.change((entries) => entries.set(name, node));
      return new SimulatedFile(this, path, { node, mode });
    }
    if (found === undefined) throw systemError("ENOENT", path);
    if (found.kind !== "file") throw systemError("EISDIR", path);
    return new SimulatedFile(this, path, { node: found, mode });
  }

  async list(directory: string): Promise<string[]> {
    return [...this.#directory(directory).entries.keys()].sort();
  }

  async exists(path: string): Promise<boolean> {
    return this.#find(path) !== undefined;
  }

  async makeDirectory(path: string): Promise<void> {
    let node = this.#root;
    for (const name of split(path)) {
      let next = node.entries.get(name);
      if (next === undefined) {
        const made = new DirectoryNode();
        node.change((entries) => entries.set(name, made));
        next = made;
      }
      if (next.kind !== "directory") throw systemError("ENOTDIR", path);
      node = next;
    }
  }

  /** Within one directory only. */
  async rename(source: string, target: string): Promise<void> {
    this.enter("rename", source);
    await this.#delayed(() => this.#renameNow(source, target));
  }

  #renameNow(source: string, target: string): void {
    const from = this.#locate(source);
    const to = this.#locate(target);
    const node = from.parent.entries.get(from.name);
    if (node === undefined) throw systemError("ENOENT", source);
    if (from.parent !== to.parent) throw systemError("EXDEV", target);
    const replaced = to.parent.entries.get(to.name);
    if (replaced?.kind === "directory" && replaced.entries.size > 0) {
      throw systemError("ENOTEMPTY", target);
    }
    from.parent.change((entries) => {
      entries.delete(from.name);
      entries.set(to.name, node);
    });
  }

  async remove(path: string): Promise<void> {
    const { parent, name } = this.#locate(path);
    if (!parent.entries.has(name)) throw systemError("ENOENT", path);
    parent.change((entries) => entries.delete(name));
  }

  async syncDirectory(directory: string): Promise<void> {
    await this.#delayed(() => this.#directory(directory).settle());
  }

  async readFile(path: string): Promise<Buffer> {
    this.enter("read", path);
    const node = this.#file(path);
    const bytes = Buffer.alloc(node.size);
    node.read(bytes, 0);
    return bytes;
  }

  /** Bytes of all sectors that hold something. */
  usedBytes(): number {
    let used = 0;
    this.#eachFile(this.#root, "", (_path, node) => (used += node.sectors * SECTOR_BYTES));
    return used;
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of split(path)) {
      if (node?.kind !== "directory") return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  #file(path: string): FileNode {
    const node = this.#find(path);
    if (node === undefined) throw systemError("ENOENT", path);
    if (node.kind !== "file") throw systemError("EISDIR", path);
    return node;
  }

  #directory(path: string): DirectoryNode {
    const node = this.#find(path);
    if (node === undefined) throw systemError("ENOENT", path);
    if (node.kind !== "directory") throw systemError("ENOTDIR", path);
    return node;
  }

  #locate(path: string): { parent: DirectoryNode; name: string } {
    const names = split(path);
    const name = names.pop();
    if (name === undefined) throw systemError("EINVAL", path);
    return { parent: this.#directory(names.join("/")), name };
  }
}

function split(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}
