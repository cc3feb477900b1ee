/**
 * The store, with a digest of every effect that goes into it (state-chain.ts).
 *
 * It stands between the rooms that write and the backend, so that nothing can be written past it:
 * what is digested is what was written and not what was meant. The digest goes into the same batch
 * as the effects and the applied index, as a row of table `meta`, which etcd passes over.
 *
 * Left out is what members do at their own pace: table `local`, the removal of records by a
 * compaction (its revision is digested, as the row that schedules it), and the row that says how
 * far that is.
 */
import {
  type AppliedPoint,
  type Backend,
  META_DIGEST,
  type ReadView,
  type Row,
  type StoreFile,
  type StoreImage,
  type Table,
  TABLES,
} from "../backend/index.ts";
import { crc32c } from "../base/index.ts";
import { decodeStateDigest, encodeStateDigest } from "../wire/index.ts";
import { EffectLog } from "./effect-log.ts";
import { StateChain } from "./state-chain.ts";

const DIGEST_KEY = Buffer.from(META_DIGEST, "latin1");
const SCRUB_PROGRESS = "finishedCompactRev";

/** So that equal rows of two tables differ. */
const SEEDS = new Map<Table, number>(
  TABLES.map((table) => [table, crc32c(0, Buffer.from(table, "latin1"))]),
);

export class DigestingBackend implements Backend {
  readonly chain: StateChain;
  readonly effects = new EffectLog();
  readonly #inner: Backend;
  readonly openImage?: () => Promise<StoreImage>;
  readonly openFile?: () => Promise<StoreFile>;
  #written = -1;

  /** Takes over `inner`. */
  constructor(inner: Backend) {
    this.#inner = inner;
    const { index } = inner.applied;
    const stored = decodeStateDigest(inner.get("meta", DIGEST_KEY));
    this.chain = new StateChain(index, stored?.index === index ? stored : undefined);
    if (inner.openImage !== undefined) this.openImage = () => (inner.openImage as OpenImage)();
    if (inner.openFile !== undefined) this.openFile = () => (inner.openFile as OpenFile)();
  }

  get(table: Table, key: Buffer): Buffer | undefined {
    return this.#inner.get(table, key);
  }

  sizeOf(table: Table, key: Buffer): number | undefined {
    return this.#inner.sizeOf(table, key);
  }

  scan(table: Table, lo: Buffer, hi: Buffer | undefined, limit: number, bytesMax?: number): Row[] {
    return this.#inner.scan(table, lo, hi, limit, bytesMax);
  }

  put(table: Table, key: Buffer, value: Buffer): void {
    this.#inner.put(table, key, value);
    const seed = SEEDS.get(table);
    if (seed === undefined) return;
    if (table === "meta" && key.latin1Slice(0, key.length) === SCRUB_PROGRESS) return;
    // Where the key ends counts: "ab" and "c" are not "a" and "bc".
    const keyed = crc32c(seed, key) ^ key.length;
    this.#effect(table, key, crc32c(keyed, value), key.length + value.length);
  }

  delete(table: Table, key: Buffer): void {
    this.#inner.delete(table, key);
    const seed = SEEDS.get(table);
    // A key is deleted by a record that says so; records go when a compaction is scrubbed.
    if (seed === undefined || table === "key") return;
    this.#effect(table, key, ~crc32c(seed, key), key.length);
  }

  #effect(table: Table, key: Buffer, checksum: number, bytes: number): void {
    this.chain.row(checksum, bytes);
    this.effects.add(this.chain.index + 1, table, key, checksum);
  }

  setApplied(point: AppliedPoint): void {
    this.#inner.setApplied(point);
    this.chain.applied(point.index, point.term);
  }

  commit(): Promise<void> {
    this.#writeDigest();
    return this.#inner.commit();
  }

  close(): Promise<void> {
    if (this.#inner.failure === undefined) this.#writeDigest();
    return this.#inner.close();
  }

  /** Unknown digests are not kept: whoever reads one takes it for good. */
  #writeDigest(): void {
    const { chain } = this;
    if (!chain.isKnown || chain.index === this.#written) return;
    this.#written = chain.index;
    this.#inner.put("meta", DIGEST_KEY, encodeStateDigest(chain.current));
  }

  get applied(): AppliedPoint {
    return this.#inner.applied;
  }

  get durable(): AppliedPoint {
    return this.#inner.durable;
  }

  get pendingOperations(): number {
    return this.#inner.pendingOperations;
  }

  get pendingBytes(): number {
    return this.#inner.pendingBytes;
  }

  get overlayBytes(): number {
    return this.#inner.overlayBytes;
  }

  get failure(): Error | undefined {
    return this.#inner.failure;
  }

  openReadView(): ReadView {
    return this.#inner.openReadView();
  }

  storedRows(table: Table): number {
    return this.#inner.storedRows(table);
  }

  sizeBytes(): { total: number; inUse: number } {
    return this.#inner.sizeBytes();
  }

  defragment(): Promise<void> {
    return this.#inner.defragment();
  }
}

type OpenImage = () => Promise<StoreImage>;
type OpenFile = () => Promise<StoreFile>;
