/** rafthttp: how the members of a cluster speak to each other (surface 15). */
import { formatId } from "../datadir/index.ts";
import type {
  LeaseAnswer,
  LostMember,
  PeerHash,
  PeerMeasures,
  PeerMember,
  PeerNetwork,
  PeerVersions,
  SnapshotImage,
  Timer,
} from "../seam/index.ts";
import type { Message } from "../wire/index.ts";
import { type Context, makeContext } from "./context.ts";
import { CLOSE_MS, PROBE_PERIOD_MS, REMOTES_MAX } from "./limits.ts";
import { Peer, type PeerEvents } from "./peer.ts";
import { Questions } from "./questions.ts";
import { Router } from "./router.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import type { StreamWriter } from "./stream-writer.ts";
import type { PeerOptions, Peers } from "./types.ts";

/** How often the end of what is queued is looked for at a close. */
const CLOSE_LOOK_MS = 10;

export function openPeers(options: PeerOptions): Peers {
  const context = makeContext(options);
  const network = new Network(context);
  const router = new Router({
    context,
    snapshots: new SnapshotReceiver(context, (id) => network.peerOf(id)?.measures),
    peerOf: (id) => network.peerOf(id),
    addRemote: (id, urls) => network.addRemote(id, urls),
  });
  return { network, handle: router.handle, measures: () => network.measures() };
}

class Network implements PeerNetwork {
  readonly #context: Context;
  readonly #events: PeerEvents;
  readonly #peers = new Map<bigint, Peer>();
  /** Oldest first. */
  readonly #remotes = new Map<bigint, Peer>();
  readonly #timers: readonly Timer[];
  #scheduled: StreamWriter[] = [];
  readonly #flush = (): void => this.#flushAll();
  #wasRemoved = false;
  #isClosed = false;

  constructor(context: Context) {
    this.#context = context;
    this.#events = {
      schedule: (writer) => this.#schedule(writer),
      onMessage: (from, message) => this.#onMessage(from, message),
      onRemoved: () => this.#onRemoved(),
    };
    const { clock, readTimeoutMs, timers } = context;
    this.#timers = [
      timers.every(readTimeoutMs / 3, () => {
        const nowMs = clock.monotonicMs();
        for (const peer of this.#peers.values()) peer.pulse(nowMs);
      }),
      timers.every(PROBE_PERIOD_MS, () => {
        for (const peer of this.#peers.values()) peer.probe();
      }),
    ];
  }

  peerOf(id: bigint): Peer | undefined {
    return this.#peers.get(id);
  }

  measures(): PeerMeasures[] {
    return [...this.#peers.values()].map((peer) => peer.measures);
  }

  add(id: bigint, urls: readonly string[]): void {
    if (this.#isClosed || id === this.#context.handler.id) return;
    const known = this.#peers.get(id);
    if (known !== undefined) return known.picker.update(urls);
    this.#remotes.get(id)?.stop();
    this.#remotes.delete(id);
    this.#peers.set(id, new Peer(this.#context, this.#events, { id, urls, isRemote: false }));
  }

  update(id: bigint, urls: readonly string[]): void {
    this.#peers.get(id)?.picker.update(urls);
  }

  remove(id: bigint): void {
    this.#peers.get(id)?.stop();
    this.#peers.delete(id);
  }

  addRemote(id: bigint, urls: readonly string[]): void {
    const { handler } = this.#context;
    if (this.#isClosed || this.#peers.has(id) || id === handler.id || handler.isRemoved(id)) return;
    const known = this.#remotes.get(id);
    if (known !== undefined) return known.picker.update(urls);
    if (this.#remotes.size >= REMOTES_MAX) {
      const [[oldest, remote]] = this.#remotes as unknown as [[bigint, Peer]];
      remote.stop();
      this.#remotes.delete(oldest);
    }
    this.#remotes.set(id, new Peer(this.#context, this.#events, { id, urls, isRemote: true }));
  }

  send(message: Message): void {
    const peer = this.#peers.get(message.to) ?? this.#remotes.get(message.to);
    if (peer !== undefined) return peer.send(message);
    if (this.#isClosed) return;
    this.#context.logger.debug("dropped a message to an unknown member", {
      "remote-peer-id": formatId(message.to),
    });
  }

  /** Once at the end of the turn in which the first message came, for all of them. */
  #schedule(writer: StreamWriter): void {
    writer.isScheduled = true;
    if (this.#scheduled.push(writer) === 1) queueMicrotask(this.#flush);
  }

  flush(): void {
    this.#flushAll();
  }

  #flushAll(): void {
    const writers = this.#scheduled;
    this.#scheduled = [];
    for (const writer of writers) {
      writer.isScheduled = false;
      writer.flush();
    }
  }

  #onMessage(from: Peer, message: Message): void {
    if (this.#isClosed) return;
    const receipt = this.#context.handler.receive(message);
    if (receipt !== "taken") from.measures.receivedFailures.add();
  }

  #onRemoved(): void {
    if (this.#wasRemoved || this.#isClosed) return;
    this.#wasRemoved = true;
    this.#context.handler.removedByPeers();
  }

  sendSnapshot(message: Message, image: SnapshotImage): void {
    const peer = this.#peers.get(message.to) ?? this.#remotes.get(message.to);
    if (peer !== undefined) return peer.sendSnapshot(message, image);
    image.close();
    this.#context.timers.soon(() => this.#context.handler.snapshotSent(message.to, true));
  }

  takesStores(id: bigint): boolean {
    return this.#peers.get(id)?.takesStores ?? false;
  }

  connectedSinceMs(id: bigint): number | undefined {
    return this.#peers.get(id)?.activeSinceMs;
  }

  async versions(id: bigint): Promise<PeerVersions> {
    return this.#ask(id).versions();
  }

  async keepAlive(id: bigint, leaseId: bigint): Promise<number> {
    return this.#ask(id).keepAlive(leaseId);
  }

  async leaseTimes(id: bigint, leaseId: bigint, withKeys: boolean): Promise<LeaseAnswer> {
    return this.#ask(id).leaseTimes(leaseId, withKeys);
  }

  async promote(id: bigint, learnerId: bigint): Promise<readonly PeerMember[]> {
    return this.#ask(id).promote(learnerId);
  }

  async replace(id: bigint, lost: LostMember): Promise<readonly PeerMember[]> {
    return this.#ask(id).replace(lost);
  }

  async hashKv(id: bigint, revision: number): Promise<PeerHash> {
    return this.#ask(id).hashKv(revision);
  }

  #ask(id: bigint): Questions {
    const peer = this.#peers.get(id);
    if (peer === undefined) throw new Error(`member ${formatId(id)} is not known`);
    return new Questions(this.#context, peer.picker);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const timer of this.#timers) timer.cancel();
    this.#flushAll();
    const peers = [...this.#peers.values(), ...this.#remotes.values()];
    for (const peer of peers) peer.end();
    const { clock, http, timers } = this.#context;
    const untilMs = clock.monotonicMs() + CLOSE_MS;
    while (peers.some((peer) => peer.bufferedBytes > 0) && clock.monotonicMs() < untilMs) {
      await new Promise<void>((resolve) => void timers.after(CLOSE_LOOK_MS, resolve));
    }
    for (const peer of peers) peer.stop();
    // Whoever dials now is a stranger.
    this.#peers.clear();
    this.#remotes.clear();
    http.close();
  }
}
