/**
 * Changes on their way to watchers: encoded at most once in each of two shapes (with and without
 * the previous pair), and put together once for all watchers that see the same ones.
 */
import type { Change, RevisionChanges } from "../mvcc/index.ts";
import {
  type EncodedKeyValue,
  encodeEventField,
  keyValueCreateRevision,
  marshal,
} from "../wire/index.ts";
import type { WatchedStore } from "./types.ts";

/** A response ends at the next whole revision once it holds this much. */
export const RESPONSE_BYTES_TARGET = 1024 * 1024;

/** One change; `encoded` makes the bytes of its event when first asked. */
export class ChangeRef {
  readonly change: Change;
  readonly revision: number;
  #plain: Buffer | undefined;
  #withPrev: Buffer | undefined;

  constructor(change: Change, revision: number) {
    this.change = change;
    this.revision = revision;
  }

  /** The event as a field of tag 11. The pair before is read when it is first asked for (WA-11). */
  encoded(store: WatchedStore, hasPrevKv: boolean): Buffer {
    if (!hasPrevKv) return (this.#plain ??= this.#encode(undefined));
    if (this.#withPrev === undefined) {
      const prevKv = this.#previous(store);
      this.#withPrev = prevKv === undefined ? this.encoded(store, false) : this.#encode(prevKv);
    }
    return this.#withPrev;
  }

  #encode(prevKv: EncodedKeyValue | undefined): Buffer {
    const { type, record } = this.change;
    return marshal(encodeEventField, { type, kv: record, prevKv });
  }

  #previous(store: WatchedStore): EncodedKeyValue | undefined {
    const { type, key, record } = this.change;
    if (type === "put" && keyValueCreateRevision(record) === this.revision) return undefined;
    const before = this.revision - 1;
    return before < store.compactRevision ? undefined : store.get(key, before);
  }
}

/** What goes into one response of one watch: complete revisions (WA-10). */
export interface EventPart {
  readonly encoded: Buffer;
  readonly lastRevision: number;
  readonly refs: readonly ChangeRef[];
}

/** All that some watchers get out of a batch: one part as a rule, more if it is large. */
export interface EventList {
  readonly refs: readonly ChangeRef[];
  readonly hasPrevKv: boolean;
  readonly firstRevision: number;
  readonly parts: readonly EventPart[];
}

/** `refs` is not empty and in order. */
export function listEvents(
  refs: readonly ChangeRef[],
  store: WatchedStore,
  hasPrevKv: boolean,
): EventList {
  const first = refs[0] as ChangeRef;
  const parts: EventPart[] = [];
  if (refs.length === 1) {
    parts.push({ encoded: first.encoded(store, hasPrevKv), lastRevision: first.revision, refs });
    return { refs, hasPrevKv, firstRevision: first.revision, parts };
  }
  let partRefs: ChangeRef[] = [];
  let pieces: Buffer[] = [];
  let bytes = 0;
  let revision = first.revision;
  for (const ref of refs) {
    if (ref.revision !== revision) {
      if (bytes >= RESPONSE_BYTES_TARGET) {
        parts.push({ encoded: join(pieces), lastRevision: revision, refs: partRefs });
        partRefs = [];
        pieces = [];
        bytes = 0;
      }
      revision = ref.revision;
    }
    const piece = ref.encoded(store, hasPrevKv);
    partRefs.push(ref);
    pieces.push(piece);
    bytes += piece.length;
  }
  parts.push({ encoded: join(pieces), lastRevision: revision, refs: partRefs });
  return { refs, hasPrevKv, firstRevision: first.revision, parts };
}

function join(pieces: readonly Buffer[]): Buffer {
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
}

/**
 * Splits one response at event boundaries so that each piece stays below `bytesMax`, at least one
 * event in each (WA-14). `overheadBytes` is what a response holds beside its events.
 */
export function fragmentsOf(
  part: EventPart,
  store: WatchedStore,
  hasPrevKv: boolean,
  bytesMax: number,
  overheadBytes: number,
): Buffer[] {
  const fragments: Buffer[] = [];
  let pieces: Buffer[] = [];
  let bytes = overheadBytes;
  for (const ref of part.refs) {
    const piece = ref.encoded(store, hasPrevKv);
    if (pieces.length > 0 && bytes + piece.length >= bytesMax) {
      fragments.push(join(pieces));
      pieces = [];
      bytes = overheadBytes;
    }
    pieces.push(piece);
    bytes += piece.length;
  }
  fragments.push(join(pieces));
  return fragments;
}

export function refsOf(revisions: readonly RevisionChanges[]): ChangeRef[] {
  const refs: ChangeRef[] = [];
  for (const { revision, changes } of revisions) {
    for (const change of changes) refs.push(new ChangeRef(change, revision));
  }
  return refs;
}

/** Keeps the lists made last, for groups of watchers that turn out to see the same changes. */
export class EventLists {
  static readonly #KEPT = 4;
  readonly #store: WatchedStore;
  readonly #recent: EventList[] = [];
  #next = 0;

  constructor(store: WatchedStore) {
    this.#store = store;
  }

  of(refs: readonly ChangeRef[], hasPrevKv: boolean): EventList {
    if (refs.length > 1) {
      for (const list of this.#recent) {
        if (list.hasPrevKv === hasPrevKv && areSame(list.refs, refs)) return list;
      }
    }
    const made = listEvents(refs, this.#store, hasPrevKv);
    if (refs.length > 1) {
      this.#recent[this.#next] = made;
      this.#next = (this.#next + 1) % EventLists.#KEPT;
    }
    return made;
  }
}

function areSame(a: readonly ChangeRef[], b: readonly ChangeRef[]): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) {
    if (a[at] !== b[at]) return false;
  }
  return true;
}
