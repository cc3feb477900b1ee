/** Requests of the differential test: what may be asked, and how a seed chooses it. */
import type { Prng } from "../../src/base/index.ts";
import type * as m from "../harness/messages.ts";
import type { Part } from "../harness/proto.ts";

export type Operation =
  | { readonly kind: "range"; readonly request: Part<m.RangeRequest> }
  | { readonly kind: "put"; readonly request: Part<m.PutRequest> }
  | { readonly kind: "deleteRange"; readonly request: Part<m.DeleteRangeRequest> }
  | { readonly kind: "txn"; readonly request: Part<m.TxnRequest> }
  | { readonly kind: "compact"; readonly request: Part<m.CompactionRequest> }
  | { readonly kind: "hashKv"; readonly request: Part<m.HashKvRequest> }
  | { readonly kind: "leaseGrant"; readonly request: Part<m.LeaseGrantRequest> }
  /** Grants and revokes at once: with an id of the server's choice, or a life too short to test. */
  | { readonly kind: "leaseBrief"; readonly request: Part<m.LeaseGrantRequest> }
  | { readonly kind: "leaseRevoke"; readonly request: Part<m.LeaseIdRequest> }
  | { readonly kind: "leaseTimeToLive"; readonly request: Part<m.LeaseTimeToLiveRequest> }
  | { readonly kind: "leaseLeases" }
  | { readonly kind: "keepAlive"; readonly request: Part<m.LeaseIdRequest> }
  | { readonly kind: "watchCreate"; readonly request: Part<m.WatchCreateRequest> }
  | { readonly kind: "watchCancel"; readonly watchId: bigint }
  /** A new watch stream; the old one and its watches go. */
  | { readonly kind: "watchReset" }
  /** Waits for every event that is due, and compares them. */
  | { readonly kind: "settle" };

/** What a generator may know of the store: both sides agree on it. */
export interface Known {
  readonly revision: bigint;
  /** -1 when nothing was compacted. */
  readonly compacted: bigint;
  /** Whether a key was deleted at exactly that revision (CP-03 differs between versions there). */
  isTombstone(revision: bigint): boolean;
}

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const FEW_LEASES = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, INT64_MAX];

/** Few keys, close to each other at the edges of byte order, so that requests meet. */
const KEYS = [
  "a",
  "a\0",
  "aa",
  "ab",
  "b",
  "b\0",
  "b\0\0",
  "c",
  "foo",
  "foo/",
  "foo/1",
  "foo/2",
  "foo0",
  "\0",
  "\0\0",
  "\x01",
  "\x7f",
  "\x80",
  "\xfe\xff",
  "\xff",
  "\xff\xff",
];

export class Generator {
  readonly #random: Prng;

  constructor(random: Prng) {
    this.#random = random;
  }

  next(known: Known): Operation {
    const dice = this.#random.below(1000);
    if (dice < 330) return { kind: "put", request: this.#put() };
    if (dice < 600) return { kind: "range", request: this.#range(known) };
    if (dice < 680) return { kind: "deleteRange", request: this.#delete() };
    if (dice < 850) return { kind: "txn", request: this.#txn(known, 0) };
    if (dice < 862) return this.#compact(known);
    if (dice < 880) return { kind: "hashKv", request: { revision: this.#revision(known) } };
    if (dice < 940) return this.#lease();
    return this.#watch(known);
  }

  #key(): Buffer {
    const random = this.#random;
    if (random.chance(0.01)) return Buffer.alloc(0);
    if (random.chance(0.02)) return random.bytes(1 + random.below(12));
    return Buffer.from(random.pick(KEYS), "latin1");
  }

  #rangeEnd(key: Buffer): Buffer {
    const random = this.#random;
    switch (random.below(10)) {
      case 0:
        return Buffer.from([0]);
      case 1:
        return key;
      case 2:
      case 3:
        return this.#key();
      case 4: {
        // The end of all keys with this prefix.
        const end = Buffer.from(key);
        const last = end.length - 1;
        if (last < 0 || end[last] === 0xff) return Buffer.from([0]);
        end[last] = (end[last] ?? 0) + 1;
        return end;
      }
      case 5:
        return Buffer.from("\xff\xff\xff", "latin1");
      default:
        return Buffer.alloc(0);
    }
  }

  #value(): Buffer {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 10) return Buffer.alloc(0);
    if (dice < 60)
      return Buffer.from(random.pick(["x", "y", "z", "\0", "\xff", "10", "9"]), "latin1");
    if (dice < 99) return random.bytes(1 + random.below(64));
    return random.bytes(random.pick([4096, 65_536]));
  }

  /** A revision near what matters: now, compacted, next, nonsense. */
  #revision(known: Known): bigint {
    const random = this.#random;
    switch (random.below(14)) {
      case 0:
        return known.revision;
      case 1:
        return known.revision + 1n;
      case 2:
        return known.compacted;
      case 3:
        return known.compacted + 1n;
      case 4:
        return known.compacted - 1n;
      case 5:
        return random.pick([-1n, INT64_MIN, -2n, 1n, 2n]);
      case 6:
        return random.pick([INT64_MAX, 2n ** 53n, 2n ** 53n + 1n, known.revision + 1000n]);
      case 7:
      case 8:
      case 9:
        return this.#past(known);
      default:
        return 0n;
    }
  }

  #past(known: Known): bigint {
    const lo = known.compacted > 0n ? known.compacted : 1n;
    return lo + BigInt(this.#random.below(Number(known.revision - lo) + 1));
  }

  #leaseId(): bigint {
    const random = this.#random;
    if (random.chance(0.1)) return random.pick([0n, -1n, 99n, INT64_MIN]);
    return random.pick(FEW_LEASES);
  }

  #put(): Part<m.PutRequest> {
    const random = this.#random;
    const ignoreValue = random.chance(0.08);
    const ignoreLease = random.chance(0.08);
    return {
      key: this.#key(),
      value: ignoreValue && random.chance(0.8) ? Buffer.alloc(0) : this.#value(),
      lease: random.chance(0.25) && !(ignoreLease && random.chance(0.8)) ? this.#leaseId() : 0n,
      prevKv: random.chance(0.3),
      ignoreValue,
      ignoreLease,
    };
  }

  #range(known: Known): Part<m.RangeRequest> {
    const random = this.#random;
    const key = this.#key();
    const near = (): bigint => (random.chance(0.12) ? this.#revision(known) : 0n);
    return {
      key,
      rangeEnd: this.#rangeEnd(key),
      limit: random.pick([0n, 0n, 0n, 0n, 1n, 2n, 3n, 5n, 1000n, -1n, INT64_MAX, INT64_MIN]),
      revision: random.chance(0.4) ? this.#revision(known) : 0n,
      // Unknown numbers are left out: they end the process of etcd 3.4.
      sortOrder: random.chance(0.3) ? random.below(3) : 0,
      sortTarget: random.chance(0.3) ? random.below(5) : 0,
      serializable: random.chance(0.3),
      keysOnly: random.chance(0.12),
      countOnly: random.chance(0.08),
      minModRevision: near(),
      maxModRevision: near(),
      minCreateRevision: near(),
      maxCreateRevision: near(),
    };
  }

  #delete(): Part<m.DeleteRangeRequest> {
    const random = this.#random;
    const key = this.#key();
    // Mostly few keys at once, so that there is something left.
    const rangeEnd = random.chance(0.3) ? this.#rangeEnd(key) : Buffer.alloc(0);
    return { key, rangeEnd, prevKv: random.chance(0.4) };
  }

  #compare(known: Known): Part<m.Compare> {
    const random = this.#random;
    const key = this.#key();
    const target = random.chance(0.02) ? 8 : random.below(5);
    // Mostly the operand that belongs to the target, at times another one or none (TX-08).
    const operand = random.chance(0.05) ? random.below(6) : target;
    const near = (): bigint => (random.chance(0.5) ? this.#past(known) : BigInt(random.below(4)));
    return {
      key,
      target,
      result: random.chance(0.02) ? 9 : random.below(4),
      rangeEnd: random.chance(0.3) ? this.#rangeEnd(key) : Buffer.alloc(0),
      version: operand === 0 ? BigInt(random.below(4)) : undefined,
      createRevision: operand === 1 ? near() : undefined,
      modRevision: operand === 2 ? near() : undefined,
      value: operand === 3 ? this.#value() : undefined,
      lease: operand === 4 ? this.#leaseId() : undefined,
    };
  }

  #txn(known: Known, depth: number): Part<m.TxnRequest> {
    const random = this.#random;
    const many = (max: number): number => random.below(max + 1);
    const list = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
    // Now and then more operations than a transaction may have (TX-02).
    const isLarge = depth === 0 && random.chance(0.01);
    return {
      compare: list(many(2), () => this.#compare(known)),
      success: list(isLarge ? 126 + many(4) : many(3), () => this.#op(known, depth)),
      failure: list(many(3), () => this.#op(known, depth)),
    };
  }

  #op(known: Known, depth: number): Part<m.RequestOp> {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 1) return {};
    if (dice < 40) return { put: this.#put() };
    if (dice < 70) return { range: this.#range(known) };
    if (dice < 85 || depth >= 3) return { deleteRange: this.#delete() };
    return { txn: this.#txn(known, depth + 1) };
  }

  #compact(known: Known): Operation {
    const random = this.#random;
    const physical = random.chance(0.5);
    if (random.chance(0.3)) {
      // Refused most of the time; what is accepted here must not be a tombstone either.
      const revision = this.#revision(known);
      const isPlain = !known.isTombstone(revision);
      return { kind: "compact", request: { revision: isPlain ? revision : -1n, physical } };
    }
    const lo = known.compacted > 0n ? known.compacted + 1n : 1n;
    const span = Number(known.revision - lo);
    if (span < 20) return { kind: "settle" };
    // Leaves the newest history alone, so that reads of the past have something to read.
    let revision = lo + BigInt(random.below(Math.max(1, Math.floor(span * 0.7))));
    while (known.isTombstone(revision) && revision > lo) revision -= 1n;
    if (known.isTombstone(revision)) return { kind: "settle" };
    return { kind: "compact", request: { revision, physical } };
  }

  #lease(): Operation {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 35) {
      const ttl = random.chance(0.1)
        ? random.pick([9_000_000_000n, 9_000_000_001n, INT64_MAX])
        : BigInt(3600 + random.below(3600));
      const id = random.chance(0.05) ? -1n : random.pick(FEW_LEASES);
      return { kind: "leaseGrant", request: { ttl, id } };
    }
    if (dice < 45) {
      const ttl = random.pick([0n, 1n, -1n, 2n, INT64_MIN, 3600n]);
      return { kind: "leaseBrief", request: { ttl, id: random.pick([0n, 77n]) } };
    }
    if (dice < 65) return { kind: "leaseRevoke", request: { id: this.#leaseId() } };
    if (dice < 82) {
      const request = { id: this.#leaseId(), keys: random.chance(0.7) };
      return { kind: "leaseTimeToLive", request };
    }
    if (dice < 90) return { kind: "leaseLeases" };
    return { kind: "keepAlive", request: { id: this.#leaseId() } };
  }

  #watch(known: Known): Operation {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 8) return { kind: "watchReset" };
    if (dice < 25) return { kind: "watchCancel", watchId: BigInt(random.below(8)) };
    if (dice < 35) return { kind: "settle" };
    const key = this.#key();
    const from = random.chance(0.5) ? this.#revision(known) : 0n;
    const filters = random.chance(0.2) ? [random.below(2)] : [];
    if (random.chance(0.03)) filters.push(random.below(2));
    const request = {
      key,
      rangeEnd: random.chance(0.6) ? this.#rangeEnd(key) : Buffer.alloc(0),
      // Below zero, etcd 3.4 starts at the oldest there is, and later versions refuse.
      startRevision: from < 0n ? 0n : from,
      filters,
      prevKv: random.chance(0.4),
      watchId: random.chance(0.2) ? BigInt(random.below(8)) : 0n,
      fragment: random.chance(0.2),
    };
    return { kind: "watchCreate", request };
  }
}
