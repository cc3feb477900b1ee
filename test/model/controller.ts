/**
 * A client as Kubernetes has them: it lists its objects, keeps them up to date by a watch from
 * there on, and changes them under the condition that they are still as it knows them.
 */
import type { ClientSide } from "./client-side.ts";
import type { WatchHandle } from "./endpoint.ts";
import { type Compare, kv, type Operation, type Pair, range, type WatchRecord } from "./history.ts";

const PREFIX = "r/pods/";
const PREFIX_END = "r/pods0";
const PAGE = 4;

export class Controller {
  readonly #side: ClientSide;
  readonly #name: string;
  readonly #known = new Map<string, Pair>();
  #watch: WatchRecord | undefined;
  #handle: WatchHandle | undefined;

  constructor(side: ClientSide, name: string) {
    this.#side = side;
    this.#name = name;
  }

  async run(): Promise<void> {
    const side = this.#side;
    while (!side.isOver) {
      await side.rest();
      if (side.isOver) break;
      if (this.#watch === undefined) await this.#list();
      else if (side.prng.chance(0.2)) await this.#read();
      else await this.#change();
    }
    this.#handle?.close();
  }

  /** Page by page, all at the revision of the first. */
  async #list(): Promise<void> {
    const side = this.#side;
    this.#known.clear();
    let from = PREFIX;
    let revision = 0;
    for (;;) {
      const request = kv([range(from, PREFIX_END, revision, PAGE)]);
      const outcome = await side.ask(this.#name, request);
      if (outcome?.kind !== "ok") return;
      const [result] = outcome.response.results;
      if (result?.kind !== "range") return;
      if (revision === 0) revision = outcome.response.revision;
      for (const pair of result.pairs) this.#known.set(pair.key, pair);
      const last = result.pairs.at(-1);
      if (last === undefined || result.count <= result.pairs.length) break;
      from = `${last.key}\0`;
    }
    if (!side.isOver) this.#follow(revision + 1);
  }

  #follow(startRevision: number): void {
    const side = this.#side;
    const endpoint = side.pick();
    if (endpoint === undefined) return;
    const request = {
      key: PREFIX,
      rangeEnd: PREFIX_END,
      startRevision,
      wantsPrevious: true,
      wantsProgress: true,
      filter: "none",
    } as const;
    const watch = side.recorder.watch(this.#name, endpoint.name, request);
    this.#watch = watch;
    const forget = (): void => {
      if (this.#watch === watch) this.#watch = undefined;
    };
    this.#handle = endpoint.watch(request, {
      created: (revision) => {
        watch.createdRevision ??= revision;
      },
      response: (response) => {
        if (this.#watch !== watch) return;
        side.recorder.responded(watch, response);
        for (const { type, pair } of response.events) {
          if (type === "put") this.#known.set(pair.key, pair);
          else this.#known.delete(pair.key);
        }
        if (response.isCanceled) forget();
      },
      ended: forget,
    });
  }

  async #read(): Promise<void> {
    const key = this.#key();
    const request = this.#side.prng.chance(0.5) ? range(key) : range(PREFIX, PREFIX_END);
    await this.#side.ask(this.#name, kv([request]));
  }

  #key(): string {
    return `${PREFIX}${this.#side.prng.below(this.#side.profile.keys)}`;
  }

  async #change(): Promise<void> {
    const { prng, profile } = this.#side;
    const key = this.#key();
    const known = this.#known.get(key);
    const value = this.#side.newValue(this.#name);
    const put: Operation = { kind: "put", key, value, lease: "0" };
    const isUpdate = !profile.isCreateDelete && prng.chance(0.7);
    const operation: Operation =
      known === undefined || isUpdate ? put : { kind: "delete", key, rangeEnd: "" };
    const compare: Compare = { target: "modRevision", key, value: known?.modRevision ?? 0 };
    const outcome = await this.#side.ask(this.#name, {
      kind: "kv",
      compares: [compare],
      success: [operation],
      failure: [range(key)],
      isSerializable: false,
    });
    if (outcome?.kind === "ok" && !outcome.response.isSuccess)
      this.#adopt(key, outcome.response.results[0]);
  }

  #adopt(key: string, result: { kind: string; pairs?: readonly Pair[] } | undefined): void {
    const [pair] = result?.pairs ?? [];
    if (pair === undefined) this.#known.delete(key);
    else this.#known.set(key, pair);
  }
}
