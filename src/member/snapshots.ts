/**
 * Whole stores to and from other members: an image for a follower that is too far behind, and the
 * leader's image in place of our own store (thesis 5.1, RA-05, PE-04).
 *
 * A received image is made into a store beside the present one before the consensus hears of it; so
 * what is left to do when the consensus takes it is a record in the log and two renames.
 */
import type { AppliedPoint, Backend } from "../backend/index.ts";
import {
  type DataDirectory,
  importStore,
  installStore,
  openImage,
  openStoreImage,
  type SnapshotInbox,
  type SnapshotName,
  takeStore,
} from "../datadir/index.ts";
import type {
  Disk,
  Logger,
  SnapshotArrival,
  SnapshotFormat,
  SnapshotImage,
  Timers,
} from "../seam/index.ts";
import type { Wal } from "../wal/index.ts";
import {
  emptyRaftMessage,
  type Message,
  MessageType,
  type Snapshot,
  type SnapshotMetadata,
} from "../wire/index.ts";
import { OLD_STORE_KEPT_MS, RESYNC_BYTES_PER_SECOND } from "./limits.ts";
import type { LocalStore } from "./local-store.ts";
import { pacedImage } from "./paced-image.ts";
import type { RaftMember } from "./raft-member.ts";
import type { RaftStorage } from "./raft-storage.ts";

/** The context of a MsgSnap that is to replace a state, and not a log. */
const RESYNC = Buffer.from("resync", "latin1");

class StoreNotWanted extends Error {
  constructor() {
    super("this member keeps its own store");
  }
}

export interface SnapshotsOptions {
  readonly member: RaftMember;
  readonly inbox: SnapshotInbox;
  readonly disk: Disk;
  readonly paths: DataDirectory;
  readonly wal: Wal;
  readonly storage: RaftStorage;
  readonly openBackend: (directory: string) => Promise<Backend>;
  readonly openStore: (backend: Backend) => Promise<LocalStore>;
  readonly timers: Timers;
  readonly logger: Logger;
}

export class Snapshots {
  readonly #options: SnapshotsOptions;
  /** Members to which some are on their way, and how many: a new one does not wait for the old. */
  readonly #sending = new Map<bigint, number>();
  /** One is being made into a store, or waits for the consensus to take it. */
  #isTaken = false;
  #installing: Promise<void> | undefined;
  /** Replaced stores whose reads may still be under way. */
  readonly #replaced = new Set<LocalStore>();
  /** Images that are being opened. */
  readonly #preparing = new Set<Promise<void>>();
  /** Members that did not take our store's own file, or not to its end: bbolt next. */
  readonly #bboltNext = new Set<bigint>();
  #isClosed = false;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  get isInstalling(): boolean {
    return this.#installing !== undefined;
  }

  /* To others */

  send(message: Message): void {
    const sent = this.#send(message).finally(() => this.#preparing.delete(sent));
    this.#preparing.add(sent);
  }

  /**
   * To a member whose log is sound and whose state is not: the consensus, which knows all of this,
   * has no part in it.
   */
  resync(to: bigint): void {
    const { member } = this.#options;
    const { id, driver } = member;
    const message = { ...emptyRaftMessage(), type: MessageType.SNAP, from: id, to };
    this.send({ ...message, term: driver.term, context: RESYNC });
  }

  /** The image may be newer than the state that the consensus named: so is the message then. */
  async #send(message: Message): Promise<void> {
    const { member, logger, timers } = this.#options;
    const { to, context } = message;
    this.#sending.set(to, (this.#sending.get(to) ?? 0) + 1);
    member.logHold.hold();
    try {
      const { image, applied } = await this.#openImage(to);
      try {
        if (!this.#isClosed) await member.care.state.attested(applied.index, to);
      } catch (error) {
        image.close();
        throw error;
      }
      if (this.#isClosed) return image.close();
      const metadata = { ...applied, confState: member.confStateAt(applied.index) };
      const snapshot = { data: Buffer.alloc(0), metadata };
      const digest = member.local.chain.at(applied.index);
      const named = digest === undefined ? message : { ...message, digest };
      const isResync = context.equals(RESYNC);
      const sent = isResync ? pacedImage(image, RESYNC_BYTES_PER_SECOND, timers) : image;
      member.network.sendSnapshot({ ...named, snapshot }, sent);
    } catch (error) {
      logger.error("cannot make a snapshot of the store", {
        error: error instanceof Error ? error.message : String(error),
      });
      this.sent(to, true);
      member.driver.snapshotSent(to, true);
    }
  }

  /** The store's own file where the receiver takes it, with a fresh index of its keys. */
  async #openImage(to: bigint): Promise<{ image: SnapshotImage; applied: AppliedPoint }> {
    const { member, disk, paths, timers } = this.#options;
    const { backend, store } = member.local;
    if (!this.#bboltNext.has(to) && member.network.takesStores?.(to) === true) {
      // Without one the receiver makes its own.
      await store.checkpoint().catch(() => false);
      const opened = await openStoreImage({ backend, disk, directory: paths.store });
      if (opened !== undefined) return opened;
    }
    return openImage({ backend, timers });
  }

  /** The network is done with it, either way. */
  sent(to: bigint, isFailure: boolean): void {
    if (isFailure && !this.#bboltNext.has(to)) this.#bboltNext.add(to);
    else this.#bboltNext.delete(to);
    const count = this.#sending.get(to) ?? 0;
    if (count === 0) return;
    if (count === 1) this.#sending.delete(to);
    else this.#sending.set(to, count - 1);
    this.#options.member.logHold.unhold();
  }

  /* From the leader */

  offset(name: SnapshotName): Promise<number> {
    return this.#options.inbox.offset(name);
  }

  async receive(arrival: SnapshotArrival): Promise<void> {
    try {
      await this.#receive(arrival);
    } catch (error) {
      this.#options.logger.warn("could not take over a snapshot; its sender may try again", {
        error: error instanceof Error ? error.message : String(error),
      });
      throw error;
    }
  }

  async #receive(arrival: SnapshotArrival): Promise<void> {
    const isResync = arrival.message.context.equals(RESYNC);
    if (isResync && !this.#options.member.care.state.wantsStore) throw new StoreNotWanted();
    const { inbox } = this.#options;
    const { message, format = "bbolt" } = arrival;
    const metadata = message.snapshot?.metadata;
    if (metadata === undefined) throw new Error("a snapshot message without a snapshot");
    const { index, term } = metadata;
    const path = await inbox.receive({
      from: message.from,
      index,
      term,
      format,
      offset: arrival.offset,
      chunks: arrival.chunks,
      sha256: () => arrival.sha256(),
    });
    try {
      // There is one place for an incoming store: it stays with the first until that is done.
      if (this.#isTaken) throw new Error("another snapshot is being taken over");
      await this.#takeOver({ path, format }, message, metadata);
    } finally {
      await inbox.remove(path);
    }
  }

  async #takeOver(
    image: { readonly path: string; readonly format: SnapshotFormat },
    message: Message,
    metadata: SnapshotMetadata,
  ): Promise<void> {
    const { driver } = this.#options.member;
    this.#isTaken = true;
    try {
      await this.#import(image, message, metadata);
      if (message.context.equals(RESYNC)) await this.#replace(message, metadata);
      else driver.receive(message);
    } finally {
      // Not taken by the consensus: it was older than what is here by now.
      if (!driver.isInstalling(metadata.index)) this.#isTaken = false;
    }
  }

  /** The log goes on from where it is; entries that the new store has are passed over. */
  async #replace(message: Message, point: AppliedPoint): Promise<void> {
    const { member, disk, paths, openBackend, openStore, logger } = this.#options;
    const { driver } = member;
    const care = member.care.state;
    if (message.term < driver.term) throw new Error("the sender leads no more");
    const { index } = member.local.backend.applied;
    if (point.index < index) throw new Error(`it is of index ${point.index}, here is ${index}`);
    await care.reaches(point);
    // Whatever came meanwhile, a state that is sound again is not replaced.
    if (!care.wantsStore) throw new StoreNotWanted();
    const old = member.local;
    await old.retire();
    await installStore({ disk, paths });
    const local = await openStore(await openBackend(paths.store));
    member.storeReplaced(local, member.cluster.changes.confState);
    this.#dropLater(old);
    logger.info("took over the store of another member", {
      index: point.index,
      revision: member.currentRevision,
    });
  }

  async #import(
    { path, format }: { readonly path: string; readonly format: SnapshotFormat },
    { digest, context }: Message,
    { index, term }: SnapshotMetadata,
  ): Promise<void> {
    const { disk, timers, paths, openBackend, logger } = this.#options;
    const point = { index, term };
    logger.info("taking over a snapshot", { ...point, format, path });
    const options = { disk, imagePath: path, directory: paths.incoming, openBackend, point };
    if (format === "bbolt") await importStore({ ...options, timers });
    else {
      const turn = (): Promise<void> => new Promise((resolve) => timers.soon(resolve));
      const areRecordsChecked = context.equals(RESYNC);
      await takeStore({ ...options, turn, digest, areRecordsChecked });
    }
  }

  /** The consensus has taken it: everything before it is void. */
  install(snapshot: Snapshot): Promise<void> {
    this.#installing = this.#install(snapshot.metadata).finally(() => {
      this.#installing = undefined;
      this.#isTaken = false;
    });
    return this.#installing;
  }

  async #install(metadata: SnapshotMetadata): Promise<void> {
    const { member, wal, storage, disk, paths, openBackend, openStore, logger } = this.#options;
    const { index, term, confState } = metadata;
    await wal.installSnapshot({ index, term, confState });
    await member.driver.allApplied(() => member.care.state.isQuarantined);
    const old = member.local;
    await old.retire();
    await installStore({ disk, paths });
    const local = await openStore(await openBackend(paths.store));
    if (local.machine.confState() === undefined) local.machine.putConfState(confState);
    storage.installSnapshot({ index, term });
    member.storeReplaced(local, confState);
    this.#dropLater(old);
    logger.info("applied a snapshot", { index, term, revision: member.currentRevision });
  }

  #dropLater(old: LocalStore): void {
    this.#replaced.add(old);
    this.#options.timers.after(OLD_STORE_KEPT_MS, () => {
      if (!this.#replaced.delete(old)) return;
      old.drop().catch((error: unknown) => {
        const text = error instanceof Error ? error.message : String(error);
        this.#options.logger.warn("cannot close a store that was replaced", { error: text });
      });
    });
  }

  /** The store is not to be closed before this has settled: images of it are read elsewhere. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#preparing);
    await this.#installing?.catch(() => undefined);
    for (const old of this.#replaced) await old.drop();
    this.#replaced.clear();
  }
}
