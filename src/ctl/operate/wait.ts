/** Looking at the cluster until it is as wanted, for so long and no longer. */
import { CtlError } from "../exit.ts";
import type { CtlIo } from "../io.ts";
import { isPausedFor } from "../pause.ts";
import { Progress } from "../progress.ts";

const PAUSE_MS = 200;
const NEVER = new AbortController().signal;

/** What one look has found: done, or what is still missing. */
export type Found<T> =
  | { readonly is: "done"; readonly value: T }
  | {
      readonly is: "waiting";
      /** For the error when time is up: `m2 does not answer`. */
      readonly why: string;
      /** Of a transfer. */
      readonly done?: number;
      readonly total?: number;
    };

export interface WaitOptions {
  /** Shown on a terminal while it lasts: `waiting for m2`. */
  readonly what: string;
  readonly timeoutMs: number;
  /** Ends the message when time is up: what to look at. */
  readonly hint: string;
}

/**
 * A look that fails is taken for one that found nothing. Throws CtlError when time is up, and
 * whatever CtlError a look throws.
 */
export async function waitFor<T>(
  io: CtlIo,
  options: WaitOptions,
  look: () => Promise<Found<T>>,
): Promise<T> {
  const now = (): number => performance.now();
  const endMs = now() + options.timeoutMs;
  const progress = new Progress(io, { what: options.what, total: 0, unit: "things", now });
  try {
    for (;;) {
      const found: Found<T> = await look().catch(asWaiting);
      if (found.is === "done") return found.value;
      progress.show(found.done ?? 0, found.total ?? 0);
      if (now() >= endMs) {
        const seconds = options.timeoutMs / 1000;
        throw new CtlError(`${found.why}, after ${seconds} s; ${options.hint}`);
      }
      await isPausedFor(PAUSE_MS, NEVER);
    }
  } finally {
    progress.end();
  }
}

function asWaiting(error: Error): { is: "waiting"; why: string } {
  if (error instanceof CtlError) throw error;
  const why = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  return { is: "waiting", why: `no endpoint answers (${why.message})` };
}
