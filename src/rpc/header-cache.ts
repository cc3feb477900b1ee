/** The header field of a watch response, encoded once for all watchers of a revision. */
import { ByteWriter } from "../base/index.ts";
import type { Member } from "../member/index.ts";
import { encodeHeaderField } from "../wire/index.ts";
import { headerOf } from "./context.ts";

export class HeaderCache {
  readonly #member: Member;
  readonly #writer = new ByteWriter(64);
  #field: Buffer = Buffer.alloc(0);
  #revision = -1;
  #raftTerm = -1;

  constructor(member: Member) {
    this.#member = member;
  }

  /** Tag, length and header at `revision`; borrowed until the next call. */
  at(revision: number): Buffer {
    const { raftTerm } = this.#member;
    if (revision !== this.#revision || raftTerm !== this.#raftTerm) {
      this.#writer.reset();
      encodeHeaderField(this.#writer, headerOf(this.#member, revision));
      this.#field = this.#writer.view();
      this.#revision = revision;
      this.#raftTerm = raftTerm;
    }
    return this.#field;
  }
}
