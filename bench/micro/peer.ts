/**
 * What members cost each other: two processes with the real transport on loopback, and the CPU that
 * each spent per message. `node bench/micro/peer.ts [seconds]`.
 *
 * echo:   one heartbeat there, one answer back, then the next: the cost of a lone message.
 * append: one append of one entry there, one answer back.
 * batch:  64 appends of one entry in one turn there, one answer to each back.
 * large:  appends of 1 MiB there, one answer back, four under way.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import {
  ConnectionGate,
  listen,
  openHttpClient,
  systemClock,
  systemDigests,
  systemTimers,
} from "../../src/host/index.ts";
import { openPeers, type Peers } from "../../src/peer/index.ts";
import type { HttpStreamHandler, Logger, PeerHandler } from "../../src/seam/index.ts";
import { emptyRaftMessage, type Message, MessageType } from "../../src/wire/index.ts";

const LEADER = 1n;
const FOLLOWER = 2n;
const WARM_UP_SECONDS = 1;

const quiet: Logger = {
  debug() {},
  info() {},
  warn() {},
  error: (message, fields) => console.error(message, fields),
  isEnabled: () => false,
  child: () => quiet,
};

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Only what the bench touches; the rest of a member is never asked for. */
function handlerOf(id: bigint, onMessage: (message: Message) => void): PeerHandler {
  const handler: Partial<PeerHandler> & Pick<PeerHandler, "id"> = {
    id,
    clusterId: 77n,
    receive: (message) => {
      onMessage(message);
      return "taken";
    },
    isRemoved: () => false,
    unreachable: () => console.error("unreachable"),
    processGone: () => process.exit(),
  };
  return handler as PeerHandler;
}

async function open(id: bigint, onMessage: (message: Message) => void) {
  const holder: { handle?: HttpStreamHandler } = {};
  const [listener] = await listen({
    urls: ["http://127.0.0.1:0"],
    gate: new ConnectionGate(100),
    logger: quiet,
    streams: (request, response) => holder.handle?.(request, response),
  });
  const url = listener?.url ?? "";
  const peers = openPeers({
    handler: handlerOf(id, onMessage),
    http: openHttpClient(),
    clock: systemClock,
    timers: systemTimers,
    digests: systemDigests,
    logger: quiet,
    serverVersion: "3.7.1",
    holdfastVersion: "0.1.0",
    peerUrls: [url],
    electionTimeoutMs: 1000,
  });
  holder.handle = peers.handle;
  return { url, peers };
}

/** Answers each message; on stdin: the leader's URL, then a line for each look at its CPU. */
async function follow(): Promise<void> {
  const own: { peers?: Peers } = {};
  const { peers, url } = await open(FOLLOWER, (message) => {
    const answer = emptyRaftMessage();
    answer.type =
      message.type === MessageType.APP ? MessageType.APP_RESP : MessageType.HEARTBEAT_RESP;
    answer.from = FOLLOWER;
    answer.to = LEADER;
    answer.term = message.term;
    answer.index = message.index + message.entries.length;
    own.peers?.network.send(answer);
  });
  own.peers = peers;
  process.stdin.on("data", (chunk: Buffer) => {
    const text = chunk.toString("latin1").trim();
    if (text.startsWith("http")) peers.network.add(LEADER, [text]);
    else process.stdout.write(`${cpuMicros()}\n`);
  });
  process.stdin.on("end", () => process.exit());
  process.stdout.write(`${url}\n`);
}

interface Case {
  readonly name: string;
  /** Messages sent in one turn. */
  readonly batch: number;
  /** Turns under way. */
  readonly inFlight: number;
  readonly entryBytes: number;
}

const CASES: readonly Case[] = [
  { name: "echo", batch: 1, inFlight: 1, entryBytes: 0 },
  { name: "append", batch: 1, inFlight: 1, entryBytes: 300 },
  { name: "batch", batch: 64, inFlight: 1, entryBytes: 300 },
  { name: "large", batch: 1, inFlight: 4, entryBytes: 1024 * 1024 },
];

class Leader {
  #peers: Peers | undefined;
  #case: Case = CASES[0] as Case;
  #index = 1;
  #answers = 0;
  #isRunning = false;
  #onIdle: (() => void) | undefined;
  #data = Buffer.alloc(0);
  answered = 0;

  use(peers: Peers): void {
    this.#peers = peers;
  }

  readonly onMessage = (): void => {
    this.answered += 1;
    this.#answers += 1;
    if (this.#answers % this.#case.batch !== 0) return;
    if (this.#isRunning) this.#turn();
    else if (this.#answers === this.#case.batch * this.#case.inFlight) this.#onIdle?.();
    if (this.#isRunning) this.#answers = 0;
  };

  start(next: Case): void {
    this.#case = next;
    this.#data = Buffer.alloc(next.entryBytes, 120);
    this.#answers = 0;
    this.#isRunning = true;
    for (let turn = 0; turn < next.inFlight; turn += 1) this.#turn();
  }

  #turn(): void {
    for (let at = 0; at < this.#case.batch; at += 1) this.#send();
  }

  #send(): void {
    const message = emptyRaftMessage();
    message.from = LEADER;
    message.to = FOLLOWER;
    message.term = 1;
    message.commit = this.#index;
    if (this.#case.entryBytes === 0) {
      message.type = MessageType.HEARTBEAT;
    } else {
      message.type = MessageType.APP;
      message.logTerm = 1;
      message.index = this.#index;
      this.#index += 1;
      message.entries = [{ type: 0, term: 1, index: this.#index, data: this.#data }];
    }
    this.#peers?.network.send(message);
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    const { batch, inFlight } = this.#case;
    if (batch * inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
        setTimeout(resolve, 200);
      });
    }
    this.#onIdle = undefined;
  }
}

async function lead(seconds: number): Promise<void> {
  const leader = new Leader();
  const { peers, url } = await open(LEADER, leader.onMessage);
  leader.use(peers);
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), "follow"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const line = async (): Promise<string> => {
    const [chunk] = (await once(child.stdout, "data")) as [Buffer];
    return chunk.toString("latin1").trim();
  };
  peers.network.add(FOLLOWER, [await line()]);
  child.stdin.write(`${url}\n`);
  while (peers.measures()[0]?.streams !== 4) await pause(20);
  const childCpu = async (): Promise<number> => {
    child.stdin.write("cpu\n");
    return Number(await line());
  };
  for (const next of CASES) {
    leader.start(next);
    await pause(WARM_UP_SECONDS * 1000);
    const before = { child: await childCpu(), own: cpuMicros(), count: leader.answered };
    const startMs = performance.now();
    await pause(seconds * 1000);
    const count = leader.answered - before.count;
    const own = (cpuMicros() - before.own) / count;
    const theirs = ((await childCpu()) - before.child) / count;
    const perSecond = (count / (performance.now() - startMs)) * 1000;
    await leader.stop();
    console.log(
      `${next.name.padEnd(7)} ${perSecond.toFixed(0).padStart(8)} messages/s, ` +
        `us of CPU for one there and one back: leader ${own.toFixed(1)}, follower ${theirs.toFixed(1)}`,
    );
  }
  child.stdin.end();
  process.exit();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (process.argv[2] === "follow") await follow();
else await lead(Number(process.argv[2] ?? 3));
