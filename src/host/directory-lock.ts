/**
 * Locks a data directory against a second process, without flock, which Node does not offer.
 *
 * A process holds the directory while it listens on a unix socket in `<directory>/lock/`. The
 * kernel ends the listening when the process dies, however it dies, and only then. A stopped
 * process still holds: its socket accepts, it only does not answer.
 *
 * Each starter publishes a socket of its own first and looks at the others second. Of two starters
 * the one that looked later has therefore seen the other, so two can never both hold; when both
 * have seen each other, the larger name gives way (decision 0012). A name appears by rename, after
 * the socket listens, so a socket that refuses is one whose process is gone, and its file is
 * removed.
 *
 * The sockets are reached through /proc/self/fd/N, so that a long path does not matter.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { failureOf, HostError } from "./host-error.ts";

/** How long a process may take to say who it is before it counts as a holder that is stopped. */
const ANSWER_WAIT_MS = 500;
/** How long another starter may take to give way or to become the holder. */
const DECISION_WAIT_MS = 3_000;
const POLL_MS = 10;

export interface DirectoryLock {
  release(): Promise<void>;
}

interface Found {
  /** "leaving": it closed while it was asked. "silent": it accepts and does not answer. */
  readonly state: "gone" | "starting" | "holding" | "leaving" | "silent";
  readonly pid: string;
}

/** Rejects with HostError when another process holds `directory`, or it cannot be written. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const place = openPlace(directory);
  const own = new OwnSocket(place);
  try {
    await own.publish();
    await settle(own, directory);
    own.holds = true;
    return { release: () => own.close() };
  } catch (error) {
    await own.close();
    if (error instanceof HostError) throw error;
    throw notLocked(directory, error);
  }
}

function notLocked(directory: string, error: unknown): HostError {
  const code = failureOf(error);
  const isForeign = code === "EACCES" || code === "EPERM";
  const advice = isForeign ? "; make it belong to this user, or choose another --data-dir" : "";
  return new HostError(`data directory ${directory} cannot be locked: ${code}${advice}`, error);
}

interface Place {
  readonly descriptor: number;
  /** A short path of the directory that holds the sockets. */
  readonly path: string;
}

function openPlace(directory: string): Place {
  const path = join(directory, "lock");
  try {
    makeOne(path);
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    return { descriptor, path: `/proc/self/fd/${descriptor}` };
  } catch (error) {
    throw notLocked(directory, error);
  }
}

function makeOne(path: string): void {
  try {
    mkdirSync(path, 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

class OwnSocket {
  readonly name = `${randomBytes(8).toString("hex")}.sock`;
  readonly place: Place;
  holds = false;
  readonly #server: Server;

  constructor(place: Place) {
    this.place = place;
    this.#server = createServer((socket) => {
      socket.on("error", () => {});
      socket.resume();
      socket.end(`${this.holds ? "holding" : "starting"} ${process.pid}\n`);
    });
    this.#server.unref();
  }

  async publish(): Promise<void> {
    const hidden = `${this.place.path}/${this.name}.tmp`;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(hidden, resolve);
    });
    renameSync(hidden, `${this.place.path}/${this.name}`);
  }

  async close(): Promise<void> {
    const { descriptor, path } = this.place;
    rmSync(`${path}/${this.name}`, { force: true });
    if (this.#server.listening) {
      this.#server.ref();
      await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    }
    // Last: closing the server removes the path that it was bound to, which goes through this.
    closeSync(descriptor);
  }
}

/** Returns when no other process holds the directory or will; throws when one does. */
async function settle(own: OwnSocket, directory: string): Promise<void> {
  const deadline = performance.now() + DECISION_WAIT_MS;
  for (;;) {
    let isAlone = true;
    for (const name of readdirSync(own.place.path)) {
      if (name === own.name || !name.endsWith(".sock")) continue;
      const found = await probe(`${own.place.path}/${name}`);
      if (found.state === "gone") {
        rmSync(`${own.place.path}/${name}`, { force: true });
        continue;
      }
      isAlone = false;
      if (mustGiveWay(own, name, found) || performance.now() > deadline) {
        throw new HostError(inUse(directory, found));
      }
    }
    if (isAlone) return;
    // Another starter with a larger name: it gives way, or it looked before we came and holds.
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function mustGiveWay(own: OwnSocket, name: string, found: Found): boolean {
  if (found.state === "leaving") return false;
  return found.state !== "starting" || name < own.name;
}

function inUse(directory: string, found: Found): string {
  const who = found.pid === "" ? "a process that does not answer" : `process ${found.pid}`;
  return `data directory ${directory} is in use by ${who}: stop it first, or choose another --data-dir`;
}

function probe(path: string): Promise<Found> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ path });
    const done = (found: Found): void => {
      clearTimeout(limit);
      socket.destroy();
      resolve(found);
    };
    const limit = setTimeout(() => done({ state: "silent", pid: "" }), ANSWER_WAIT_MS);
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    socket.on("end", () => {
      const [state, pid = ""] = text.trim().split(" ");
      done({ state: state === "holding" || state === "starting" ? state : "leaving", pid });
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      done({ state: STATE_BY_ERROR[error.code ?? ""] ?? "silent", pid: "" });
    });
  });
}

const STATE_BY_ERROR: Readonly<Record<string, Found["state"]>> = {
  ECONNREFUSED: "gone",
  ENOENT: "gone",
  ECONNRESET: "leaving",
  EPIPE: "leaving",
};
