/** Fills a store as fast as it takes keys: transactions of 100 puts, several under way. */
import { ByteWriter, Prng } from "../../src/base/index.ts";
import {
  emptyPutRequest,
  encodeTxnRequest,
  type PutRequest,
  type TxnRequest,
} from "../../src/wire/index.ts";
import type { Figures } from "../cases.ts";
import { type Caller, type Channel, KV_TXN } from "./channel.ts";
import { Http2Channel } from "./http2-channel.ts";
import type { PreloadJob } from "./jobs.ts";
import { orderedKey, scatteredKey } from "./keys.ts";

const PUTS_PER_TXN = 100;
const CONNECTIONS = 10;
const LOADERS_PER_CONNECTION = 4;
const SEED = 1;
/** Different values, so that a store that compresses or shares them would not be flattered. */
const VALUES = 64;

export async function preload(job: PreloadJob): Promise<Figures> {
  const startedMs = performance.now();
  const load = new Load(job);
  const channels: Channel[] = [];
  for (let index = 0; index < CONNECTIONS; index += 1) {
    channels.push(await Http2Channel.connect(job.port));
  }
  const loaders = channels.flatMap((channel) =>
    Array.from({ length: LOADERS_PER_CONNECTION }, () => load.run(channel)),
  );
  await Promise.all(loaders);
  for (const channel of channels) channel.close();
  return { loadSeconds: (performance.now() - startedMs) / 1000 };
}

class Load {
  readonly #job: PreloadJob;
  readonly #writer = new ByteWriter(256 * 1024);
  readonly #puts: PutRequest[] = [];
  readonly #values: Buffer[] = [];
  #next = 0;

  constructor(job: PreloadJob) {
    this.#job = job;
    const prng = new Prng(SEED);
    for (let index = 0; index < VALUES; index += 1) this.#values.push(prng.bytes(job.valueBytes));
    for (let index = 0; index < PUTS_PER_TXN; index += 1) this.#puts.push(emptyPutRequest());
  }

  /** Sends one transaction after the other on `channel` until no key is left. */
  run(channel: Channel): Promise<void> {
    return new Promise((resolve, reject) => {
      const caller: Caller = {
        onMessage() {},
        onEnd: (code, text) => {
          if (code !== 0) reject(new Error(`loading keys: status ${code}: ${text}`));
          else if (this.#next >= this.#job.keys) resolve();
          else channel.unary(KV_TXN, this.#txn(), caller);
        },
      };
      caller.onEnd(0, "");
    });
  }

  #txn(): Buffer {
    const keyOf = this.#job.order === "ordered" ? orderedKey : scatteredKey;
    const count = Math.min(this.#job.putsPerTxn ?? PUTS_PER_TXN, this.#job.keys - this.#next);
    const txn: TxnRequest = { compare: [], success: [], failure: [] };
    for (let position = 0; position < count; position += 1) {
      const put = this.#puts[position] as PutRequest;
      put.key = keyOf(this.#next);
      put.value = this.#values[this.#next % VALUES] as Buffer;
      this.#next += 1;
      txn.success.push({ kind: "put", put });
    }
    this.#writer.reset();
    encodeTxnRequest(this.#writer, txn);
    return this.#writer.view();
  }
}
