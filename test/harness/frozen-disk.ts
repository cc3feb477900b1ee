/**
 * A disk whose writes stall: a file system in a file, frozen for a moment again and again, so that
 * every write and fsync on it hangs while the process goes on running. Needs root.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { atExit, temporaryDirectory } from "./process.ts";

const BYTES = 1024 * 1024 * 1024;

function must(program: string, ...args: string[]): void {
  const result = spawnSync(program, args, { encoding: "utf8" });
  if (result.status === 0) return;
  throw new Error(`${program} ${args.join(" ")}: ${result.stderr || result.error?.message}`);
}

export class FrozenDisk {
  readonly path: string;
  readonly #parent: string;
  #isRemoved = false;

  private constructor(parent: string) {
    this.#parent = parent;
    this.path = join(parent, "disk");
  }

  static make(): FrozenDisk {
    const disk = new FrozenDisk(temporaryDirectory("disk"));
    const image = join(disk.#parent, "image");
    writeFileSync(image, "");
    truncateSync(image, BYTES);
    mkdirSync(disk.path);
    must("mkfs.ext4", "-q", "-F", image);
    atExit(() => disk.remove());
    must("mount", "-o", "loop", image, disk.path);
    return disk;
  }

  /** Why a disk cannot be made here, or false. */
  static missing(): string | false {
    if (process.getuid?.() !== 0) return "mounting needs root";
    try {
      FrozenDisk.make().remove();
      return false;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /**
   * Stalls all writes `count` times, with room for a few between. A process of its own does it, so
   * that the disk thaws whatever becomes of this one.
   */
  async stall(count: number, stallMs: number, pauseMs: number): Promise<void> {
    const script = `
      for i in $(seq ${count}); do
        fsfreeze --freeze "$1" || exit 1
        sleep ${stallMs / 1000}
        fsfreeze --unfreeze "$1" || exit 1
        sleep ${pauseMs / 1000}
      done`;
    const child = spawn("sh", ["-c", script, "sh", this.path], { stdio: "ignore", detached: true });
    const code = await new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", resolve);
    });
    if (code !== 0) throw new Error(`fsfreeze of ${this.path} ended with ${code}`);
  }

  remove(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    spawnSync("fsfreeze", ["--unfreeze", this.path]);
    spawnSync("umount", ["--lazy", this.path]);
    rmSync(this.#parent, { recursive: true, force: true });
  }
}
