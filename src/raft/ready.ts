/** What a node hands to its driver: to write, to send, to apply, to answer. */
import {
  type Entry,
  type HardState,
  type Message,
  MessageType,
  type Snapshot,
} from "../wire/index.ts";
import type { Evidence, ReadState, Role } from "./types.ts";

export interface SoftState {
  readonly lead: bigint;
  readonly role: Role;
}

/**
 * One batch of work. In the synchronous way the driver
 * 1. makes `hardState`, `entries` and `snapshot` durable, with a sync if `mustSync` (RA-04);
 * 2. sends `messages` (a leader's MsgApp may go before 1 ends: thesis 10.2.1);
 * 3. restores `snapshot`, applies `committedEntries`, calls `applyConfChange` for each change;
 * 4. calls `advance()`.
 *
 * With asynchronous storage writes the messages to APPEND_THREAD and APPLY_THREAD hold steps 1 and
 * 3, all other messages may go at once, and the answers of those two say when they are done.
 *
 * Owns: the driver, all of it; entries and buffers are shared and must not be changed.
 */
export interface Ready {
  /** Undefined = as before. Need not be durable. */
  readonly softState: SoftState | undefined;
  /** Undefined = as before. */
  readonly hardState: HardState | undefined;
  /** Reads that may be answered once their index is applied. */
  readonly readStates: readonly ReadState[];
  /** To be made durable before the messages go. */
  readonly entries: Entry[];
  readonly snapshot: Snapshot | undefined;
  readonly committedEntries: Entry[];
  readonly messages: Message[];
  /** Whether what is to be written needs a sync: a new commit index alone does not (RA-04). */
  readonly mustSync: boolean;
  readonly evidence: readonly Evidence[];
}

export function sameHardState(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.vote === b.vote && a.commit === b.commit;
}

/** Whether a change of hard state, or entries, has to reach the disk before anything is sent. */
export function needsSync(before: HardState, after: HardState, entryCount: number): boolean {
  return entryCount > 0 || before.vote !== after.vote || before.term !== after.term;
}

/**
 * Leaves out acknowledgements of appends that a later one to the same member, of the same term,
 * covers (RA-03). Refusals stay: each tells the leader where to look.
 */
export function withoutCoveredAcks(messages: readonly Message[]): Message[] {
  const kept: Message[] = [];
  const last = new Map<bigint, Message>();
  for (let at = messages.length - 1; at >= 0; at -= 1) {
    const message = messages[at] as Message;
    if (message.type === MessageType.APP_RESP && !message.reject) {
      const later = last.get(message.to);
      const isCovered =
        later !== undefined && later.term === message.term && later.index >= message.index;
      if (isCovered) continue;
      last.set(message.to, message);
    }
    kept.push(message);
  }
  return kept.reverse();
}
