/** MsgSnap and its image on their way to another member, over simulated links. */
import type { SnapshotArrival, SnapshotImage } from "../seam/index.ts";
import { decodeRaftMessage, encodeRaftMessage, marshal, type Message } from "../wire/index.ts";
import type { Endpoint, SimulatedNetwork } from "./simulated-network.ts";
import { reach, settledIn } from "./simulated-question.ts";

/** Connections tried before the sender is told that it failed. */
const ATTEMPTS_MAX = 4;
const RETRY_MS = 50;
/** What arrives at once; a connection can break after each. */
const PIECE_BYTES = 8 * 1024;

export function sendSimulatedSnapshot(
  network: SimulatedNetwork,
  from: Endpoint,
  message: Message,
  image: SnapshotImage,
): void {
  const parcel = { bytes: marshal(encodeRaftMessage, message), to: message.to, image };
  const host = network.hostOf(from.peers.get(message.to) ?? []);
  const number = network.nextNumber();
  network.tell("sent", from.host, host, { number, message });
  void send(network, from, parcel).then((isFailure) => {
    network.tell(isFailure ? "lost" : "delivered", from.host, host, { number, message });
    from.process.enter(() => {
      image.close();
      if (from.isListening) from.handler.snapshotSent(message.to, isFailure);
    });
  });
}

interface Parcel {
  readonly to: bigint;
  readonly bytes: Buffer;
  readonly image: SnapshotImage;
}

/** Whether it failed. */
async function send(network: SimulatedNetwork, from: Endpoint, parcel: Parcel): Promise<boolean> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX && from.isListening; attempt += 1) {
    const outcome = await attemptOnce(network, from, parcel).catch(() => "broken");
    if (outcome !== "broken") return outcome === "refused";
    await from.process.sleep(RETRY_MS);
  }
  return true;
}

/** Rejects, or says so, when the connection broke; else what the receiver said. */
async function attemptOnce(
  network: SimulatedNetwork,
  from: Endpoint,
  parcel: Parcel,
): Promise<"taken" | "refused" | "broken"> {
  const target = await reach(network, from, from.peers.get(parcel.to) ?? []);
  const message = decodeRaftMessage(Buffer.from(parcel.bytes));
  const { index, term } = message.snapshot?.metadata ?? { index: 0, term: 0 };
  return network.exchange(from, target, async () => {
    const sender = from.handler.id;
    const asked = await settledIn(target, (peer) => peer.snapshotOffset(sender, index, term));
    if (asked instanceof Error) return "broken";
    const transfer = new Transfer(network, { from, target, message, offset: asked.value }, parcel);
    const outcome = await settledIn(target, async (peer) => {
      if (peer.clusterId !== from.handler.clusterId) throw new Error("another cluster's");
      await peer.receiveSnapshot(transfer);
    });
    if (transfer.isBroken) return "broken";
    return outcome instanceof Error ? "refused" : "taken";
  });
}

interface Course {
  readonly from: Endpoint;
  readonly target: Endpoint;
  readonly message: Message;
  readonly offset: number;
}

/** One connection's worth of a snapshot, as the receiver meets it. */
class Transfer implements SnapshotArrival {
  readonly message: Message;
  readonly offset: number;
  readonly chunks: AsyncIterable<Buffer>;
  isBroken = false;
  readonly #network: SimulatedNetwork;
  readonly #course: Course;
  readonly #image: SnapshotImage;
  #sha256: Buffer | undefined;

  constructor(network: SimulatedNetwork, course: Course, parcel: Parcel) {
    this.#network = network;
    this.#course = course;
    this.#image = parcel.image;
    this.message = course.message;
    this.offset = course.offset;
    this.chunks = { [Symbol.asyncIterator]: () => this.#pieces() };
  }

  sha256(): Buffer | undefined {
    return this.#sha256;
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    const hash = this.#network.digests.sha256();
    let at = 0;
    for await (const chunk of this.#prefix()) {
      hash.update(chunk);
      at += chunk.length;
    }
    const source = this.#image.read(at)[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#overWire(at, () => source.next());
      if (next.done === true) break;
      for (let lo = 0; lo < next.value.length; lo += PIECE_BYTES) {
        const piece = Buffer.from(next.value.subarray(lo, lo + PIECE_BYTES));
        await this.#overWire(at, () => Promise.resolve());
        hash.update(piece);
        at += piece.length;
        yield piece;
      }
    }
    this.#sha256 = hash.digest();
  }

  /** What the receiver has already: the hash is of the whole file. */
  async *#prefix(): AsyncGenerator<Buffer> {
    let left = this.offset;
    if (left === 0) return;
    for await (const chunk of this.#image.read(0)) {
      yield chunk.subarray(0, left);
      left -= Math.min(left, chunk.length);
      if (left === 0) return;
    }
  }

  /** Does something at the sender, lets the receiver know: throws where the connection breaks. */
  async #overWire<T>(at: number, run: () => Promise<T>): Promise<T> {
    const network = this.#network;
    const { from, target } = this.#course;
    const link = network.link(from.host, target.host);
    try {
      if (network.breaksSnapshot(link, at)) throw new Error(`the connection broke at byte ${at}`);
      return await network.exchange(from, target, async () => {
        const made = await inProcess(from, run);
        await network.sleep(network.delayMs(link));
        await inProcess(target, () => Promise.resolve());
        return made;
      });
    } catch (error) {
      this.isBroken = true;
      throw error;
    }
  }
}

/** Done by the endpoint's process: later when it stands still, never when it is gone. */
function inProcess<T>(endpoint: Endpoint, run: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    endpoint.process.enter(() => void run().then(resolve, reject));
  });
}
