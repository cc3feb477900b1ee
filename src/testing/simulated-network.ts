/**
 * The network between members in one process (seam/peers.ts), on simulated time and from a seed:
 * delay, loss, duplication, reordering, links cut one way or both ways, members that are gone.
 *
 * Model: every host has links to every other one, each direction on its own. What is sent is
 * encoded at once and decoded at its arrival, so that members share no object. Links, unlike
 * members, outlive crashes: they are named by host. Snapshots travel in chunks and can break
 * anywhere; the sender then asks where to go on, some times.
 */
import type { Prng } from "../base/index.ts";
import type { Digests, PeerHandler, PeerNetwork, SnapshotImage } from "../seam/index.ts";
import {
  decodeRaftMessage,
  encodeRaftMessage,
  marshal,
  type Message,
  MessageType,
} from "../wire/index.ts";
import type { ManualTime } from "./manual-time.ts";
import { askPeer } from "./simulated-question.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import { sendSimulatedSnapshot } from "./simulated-snapshot.ts";

/** What one direction of a link is like. Rates are chances in [0, 1]. */
export interface LinkConditions {
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  readonly lossRate: number;
  readonly duplicateRate: number;
  /** Messages that may overtake others; all else arrives in the order of sending. */
  readonly reorderRate: number;
  /** For each chunk of a snapshot: the chance that its connection breaks there. */
  readonly snapshotBreakRate: number;
}

export const QUIET_LINK: LinkConditions = {
  delayMinMs: 0.1,
  delayMaxMs: 0.3,
  lossRate: 0,
  duplicateRate: 0,
  reorderRate: 0,
  snapshotBreakRate: 0,
};

/** What became of a message. */
export type NetworkFate = "sent" | "delivered" | "lost" | "refused";

export interface NetworkEvent {
  readonly fate: NetworkFate;
  readonly from: string;
  readonly to: string;
  readonly message: Message;
  /** Counts what was sent; one that was doubled arrives twice under its number. */
  readonly number: number;
}

export interface SimulatedNetworkOptions {
  readonly time: ManualTime;
  readonly prng: Prng;
  readonly digests: Digests;
  readonly link?: Partial<LinkConditions>;
  readonly observe?: (event: NetworkEvent) => void;
}

export interface OpenEndpointOptions {
  /** Names its links. */
  readonly host: string;
  /** Where it listens for peers. */
  readonly urls: readonly string[];
  readonly process: SimulatedProcess;
  readonly handler: PeerHandler;
}

/** Messages on their way in one direction. Beyond: dropped, and the sender told. */
const IN_FLIGHT_MAX = 4_096;
/** How long after a cut, or after the end of a process, the other side takes notice. */
const NOTICE_MS = 5;
const QUESTION_TIMEOUT_MS = 1_000;

/** One direction of a link. */
export class SimulatedLink {
  readonly from: string;
  readonly to: string;
  conditions: LinkConditions;
  isCut = false;
  changedMs: number;
  inFlight = 0;
  /** Nothing that keeps its order arrives before what was sent before it. */
  lastArrivalMs = 0;

  constructor(from: string, to: string, conditions: LinkConditions, nowMs: number) {
    this.from = from;
    this.to = to;
    this.conditions = conditions;
    this.changedMs = nowMs;
  }
}

/** A member that listens, in one life of its process. */
export interface Endpoint extends OpenEndpointOptions {
  readonly openedMs: number;
  readonly peers: Map<bigint, readonly string[]>;
  /** Who was heard from and is no member here: they say where they are reached (surface 15.2). */
  readonly remotes: Map<bigint, readonly string[]>;
  isListening: boolean;
}

/** Ends what two endpoints have open when a link, a process or a test breaks it. */
export interface OpenExchange {
  readonly hosts: readonly [string, string];
  fail(error: Error): void;
}

interface NumberedMessage {
  readonly number: number;
  readonly message: Message;
}

/** A message on its way. */
interface Parcel {
  readonly to: bigint;
  readonly urls: readonly string[];
  readonly bytes: Buffer;
  readonly number: number;
}

export class SimulatedNetwork {
  readonly time: ManualTime;
  readonly prng: Prng;
  readonly digests: Digests;
  readonly #link: LinkConditions;
  readonly #observe: ((event: NetworkEvent) => void) | undefined;
  readonly #links = new Map<string, SimulatedLink>();
  readonly #endpoints = new Set<Endpoint>();
  readonly #exchanges = new Set<OpenExchange>();
  #sent = 0;
  /** Messages, and snapshots, that met with something on their way. */
  readonly counts = { lostByRate: 0, lostByCut: 0, doubled: 0, overtaken: 0, broken: 0 };
  #snapshotBreakAtByte: number | undefined;

  constructor(options: SimulatedNetworkOptions) {
    this.time = options.time;
    this.prng = options.prng;
    this.digests = options.digests;
    this.#link = { ...QUIET_LINK, ...options.link };
    this.#observe = options.observe;
  }

  /** A member begins to listen. Ends with its process, or with `close`. */
  open(options: OpenEndpointOptions): PeerNetwork {
    const endpoint: Endpoint = {
      ...options,
      openedMs: this.time.monotonicMs(),
      peers: new Map(),
      remotes: new Map(),
      isListening: true,
    };
    this.#endpoints.add(endpoint);
    options.process.onEnd(() => this.#end(endpoint));
    return new EndpointNetwork(this, endpoint);
  }

  /* Links */

  /** The direction from a host to another. */
  link(from: string, to: string): SimulatedLink {
    const name = `${from}>${to}`;
    let link = this.#links.get(name);
    if (link === undefined) {
      link = new SimulatedLink(from, to, this.#link, this.time.monotonicMs());
      this.#links.set(name, link);
    }
    return link;
  }

  /** Changes what both directions between two hosts are like. */
  setConditions(one: string, other: string, conditions: Partial<LinkConditions>): void {
    for (const link of [this.link(one, other), this.link(other, one)]) {
      link.conditions = { ...link.conditions, ...conditions };
    }
  }

  /** Nothing gets from one host to the other; the way back stays as it is. */
  cutOneWay(from: string, to: string): void {
    this.#setCut(this.link(from, to), true);
  }

  cut(one: string, other: string): void {
    this.cutOneWay(one, other);
    this.cutOneWay(other, one);
  }

  /** Hosts of different groups do not reach each other; one in no group reaches all. */
  partition(groups: readonly (readonly string[])[]): void {
    for (const [at, group] of groups.entries()) {
      for (const other of groups.slice(at + 1).flat()) {
        for (const host of group) this.cut(host, other);
      }
    }
  }

  /** One direction carries again. */
  mendOneWay(from: string, to: string): void {
    this.#setCut(this.link(from, to), false);
  }

  /** What both directions between two hosts were like at the beginning. */
  resetConditions(one: string, other: string): void {
    this.setConditions(one, other, this.#link);
  }

  /** All links carry again, as at the beginning. */
  heal(): void {
    for (const link of this.#links.values()) {
      this.#setCut(link, false);
      link.conditions = this.#link;
    }
  }

  #setCut(link: SimulatedLink, isCut: boolean): void {
    if (link.isCut === isCut) return;
    link.isCut = isCut;
    link.changedMs = this.time.monotonicMs();
    if (isCut) this.#breakExchanges(link.from, link.to);
  }

  /** The next snapshot on its way breaks once this many of its bytes are there. */
  breakNextSnapshot(atByte: number): void {
    this.#snapshotBreakAtByte = atByte;
  }

  /** Asked by a transfer before each chunk. */
  breaksSnapshot(link: SimulatedLink, atByte: number): boolean {
    if (this.#snapshotBreakAtByte !== undefined && atByte >= this.#snapshotBreakAtByte) {
      this.#snapshotBreakAtByte = undefined;
      this.counts.broken += 1;
      return true;
    }
    const rate = link.conditions.snapshotBreakRate;
    const isBroken = rate > 0 && this.prng.chance(rate);
    if (isBroken) this.counts.broken += 1;
    return isBroken;
  }

  /** How long something takes from here to there. */
  delayMs(link: SimulatedLink): number {
    const { delayMinMs, delayMaxMs } = link.conditions;
    return delayMinMs + (this.prng.uint32() / 0x1_0000_0000) * (delayMaxMs - delayMinMs);
  }

  /* Endpoints */

  /** Who listens on one of the URLs at present. */
  listener(urls: readonly string[]): Endpoint | undefined {
    for (const endpoint of this.#endpoints) {
      if (endpoint.isListening && endpoint.urls.some((url) => urls.includes(url))) return endpoint;
    }
    return undefined;
  }

  #end(endpoint: Endpoint): void {
    if (!this.#endpoints.delete(endpoint)) return;
    endpoint.isListening = false;
    this.#breakExchanges(endpoint.host, undefined);
  }

  /** The machine still answers, its process does not: all who reach it are told. */
  announceGone(endpoint: Endpoint): void {
    for (const other of this.#endpoints) {
      if (other === endpoint || !other.peers.has(endpoint.handler.id)) continue;
      if (this.isCut(other.host, endpoint.host)) continue;
      const back = this.link(endpoint.host, other.host);
      other.process.after(this.delayMs(back), () => {
        if (other.isListening) other.handler.processGone(endpoint.handler.id);
      });
    }
  }

  /** The endpoint of a host at present. */
  endpointOf(host: string): Endpoint | undefined {
    for (const endpoint of this.#endpoints) if (endpoint.host === host) return endpoint;
    return undefined;
  }

  close(endpoint: Endpoint): void {
    this.#end(endpoint);
  }

  /* Messages */

  send(from: Endpoint, message: Message): void {
    const urls = from.peers.get(message.to) ?? from.remotes.get(message.to);
    if (!from.isListening || urls === undefined) return;
    const to = this.hostOf(urls);
    const number = this.nextNumber();
    this.tell("sent", from.host, to, { number, message });
    const link = this.link(from.host, to);
    const bytes = marshal(encodeRaftMessage, message);
    const isLost = this.#happens(link.conditions.lossRate);
    if (link.isCut || isLost || link.inFlight >= IN_FLIGHT_MAX) {
      this.tell("lost", from.host, to, { number, message });
      if (link.isCut) this.counts.lostByCut += 1;
      else if (isLost) this.counts.lostByRate += 1;
      if (link.isCut || this.prng.chance(0.5)) this.#tellUnreachable(from, message.to);
      return;
    }
    this.#carry(from, link, { to: message.to, urls, bytes, number });
    // Streams deliver once: what the consensus takes twice is doubled, but never a proposal.
    const isDoubled = this.#happens(link.conditions.duplicateRate);
    if (isDoubled && message.type !== MessageType.PROP) {
      this.counts.doubled += 1;
      this.#carry(from, link, { to: message.to, urls, bytes: Buffer.from(bytes), number });
    }
  }

  #happens(rate: number): boolean {
    return rate > 0 && this.prng.chance(rate);
  }

  /** For one more message. */
  nextNumber(): number {
    this.#sent += 1;
    return this.#sent;
  }

  /** The host behind some URLs; the first of them when nobody listens. */
  hostOf(urls: readonly string[]): string {
    return this.listener(urls)?.host ?? urls[0] ?? "nowhere";
  }

  #carry(from: Endpoint, link: SimulatedLink, parcel: Parcel): void {
    const nowMs = this.time.monotonicMs();
    let arrivalMs = nowMs + this.delayMs(link);
    if (!this.#happens(link.conditions.reorderRate)) {
      arrivalMs = Math.max(arrivalMs, link.lastArrivalMs);
      link.lastArrivalMs = arrivalMs;
    } else if (arrivalMs < link.lastArrivalMs) {
      this.counts.overtaken += 1;
    }
    link.inFlight += 1;
    this.time.after(arrivalMs - nowMs, () => {
      link.inFlight -= 1;
      const message = decodeRaftMessage(parcel.bytes);
      const { number } = parcel;
      const target = this.listener(parcel.urls);
      if (link.isCut || target === undefined) {
        this.tell("lost", link.from, link.to, { number, message });
        if (link.isCut) this.counts.lostByCut += 1;
        return this.#tellUnreachable(from, parcel.to);
      }
      target.process.enter(() => this.#deliver(from, target, { number, message }));
    });
  }

  #deliver(from: Endpoint, target: Endpoint, what: NumberedMessage): void {
    const { message } = what;
    if (!target.isListening) return this.tell("lost", from.host, target.host, what);
    const isOther = target.handler.clusterId !== from.handler.clusterId;
    if (!isOther) target.remotes.set(from.handler.id, from.urls);
    const receipt = isOther ? "notForMe" : target.handler.receive(message);
    if (receipt === "taken") return this.tell("delivered", from.host, target.host, what);
    this.tell("refused", from.host, target.host, what);
    const back = this.link(target.host, from.host);
    from.process.after(this.delayMs(back), () => {
      if (!from.isListening || back.isCut) return;
      if (receipt === "senderRemoved") from.handler.removedByPeers();
      else from.handler.unreachable(message.to);
    });
  }

  #tellUnreachable(from: Endpoint, id: bigint): void {
    from.process.after(NOTICE_MS, () => {
      if (from.isListening) from.handler.unreachable(id);
    });
  }

  /** For whoever observes. */
  tell(fate: NetworkFate, from: string, to: string, { number, message }: NumberedMessage): void {
    this.#observe?.({ fate, from, to, message, number });
  }

  /* Exchanges */

  /**
   * Runs something that needs the two hosts to stay connected: rejects when they no longer are.
   */
  async exchange<T>(from: Endpoint, to: Endpoint, run: () => Promise<T>): Promise<T> {
    let exchange: OpenExchange | undefined;
    const broken = new Promise<never>((_, reject) => {
      exchange = {
        hosts: [from.host, to.host],
        fail: (error) => this.time.after(NOTICE_MS, () => reject(error)),
      };
    });
    broken.catch(() => undefined);
    this.#exchanges.add(exchange as OpenExchange);
    try {
      const isOpen = from.isListening && to.isListening && !this.isCut(from.host, to.host);
      if (!isOpen) throw new Error(`${from.host} and ${to.host} are not connected`);
      return await Promise.race([run(), broken]);
    } finally {
      this.#exchanges.delete(exchange as OpenExchange);
    }
  }

  /** Whether either direction is. */
  isCut(one: string, other: string): boolean {
    return this.link(one, other).isCut || this.link(other, one).isCut;
  }

  #breakExchanges(one: string, other: string | undefined): void {
    for (const exchange of this.#exchanges) {
      const { hosts } = exchange;
      if (!hosts.includes(one) || (other !== undefined && !hosts.includes(other))) continue;
      this.#exchanges.delete(exchange);
      exchange.fail(new Error(`the connection of ${hosts[0]} and ${hosts[1]} broke`));
    }
  }

  /** Time passes on the wire, whoever stands still meanwhile. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.time.after(ms, resolve));
  }

  get questionTimeoutMs(): number {
    return QUESTION_TIMEOUT_MS;
  }

  /** When messages began to flow from a host to another, as far as is known now. */
  connectedSinceMs(from: Endpoint, urls: readonly string[]): number | undefined {
    const target = this.listener(urls);
    if (target === undefined) return undefined;
    const to = this.link(from.host, target.host);
    const back = this.link(target.host, from.host);
    if (this.isCut(from.host, target.host)) return undefined;
    return Math.max(to.changedMs, back.changedMs, from.openedMs, target.openedMs);
  }
}

/** The network as one member sees it. */
class EndpointNetwork implements PeerNetwork {
  readonly #network: SimulatedNetwork;
  readonly #endpoint: Endpoint;
  readonly versions: PeerNetwork["versions"];
  readonly keepAlive: PeerNetwork["keepAlive"];
  readonly leaseTimes: PeerNetwork["leaseTimes"];
  readonly promote: PeerNetwork["promote"];
  readonly hashKv: PeerNetwork["hashKv"];
  readonly replace: NonNullable<PeerNetwork["replace"]>;

  constructor(network: SimulatedNetwork, endpoint: Endpoint) {
    this.#network = network;
    this.#endpoint = endpoint;
    const ask = <T>(id: bigint, question: (handler: PeerHandler) => T | Promise<T>) =>
      askPeer(network, endpoint, id, question);
    this.versions = (id) => ask(id, (peer) => peer.versions());
    this.keepAlive = (id, leaseId) => ask(id, (peer) => peer.renewForPeer(leaseId));
    this.leaseTimes = (id, leaseId, withKeys) =>
      ask(id, (peer) => peer.leaseTimesForPeer(leaseId, withKeys));
    this.promote = (id, learnerId) => ask(id, (peer) => peer.promoteForPeer(learnerId));
    this.hashKv = (id, revision) => ask(id, (peer) => peer.hashKvForPeer(revision));
    this.replace = (id, lost) => ask(id, (peer) => peer.replaceForPeer(lost));
  }

  add(id: bigint, urls: readonly string[]): void {
    this.#endpoint.peers.set(id, [...urls]);
  }

  update(id: bigint, urls: readonly string[]): void {
    this.#endpoint.peers.set(id, [...urls]);
  }

  remove(id: bigint): void {
    this.#endpoint.peers.delete(id);
    this.#endpoint.remotes.delete(id);
  }

  /** Every message leaves by itself here, when its link's delay says so. */
  flush(): void {}

  send(message: Message): void {
    this.#network.send(this.#endpoint, message);
  }

  sendSnapshot(message: Message, image: SnapshotImage): void {
    sendSimulatedSnapshot(this.#network, this.#endpoint, message, image);
  }

  connectedSinceMs(id: bigint): number | undefined {
    const urls = this.#endpoint.peers.get(id);
    return urls === undefined ? undefined : this.#network.connectedSinceMs(this.#endpoint, urls);
  }

  async close(): Promise<void> {
    this.#network.close(this.#endpoint);
  }
}
