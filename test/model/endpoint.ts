/** Where traffic goes, whatever is behind it: a simulated member, or a process. */
import type { Outcome, Request, WatchRequest, WatchResponse } from "./history.ts";

export interface WatchHandlers {
  readonly created: (revision: number) => void;
  readonly response: (response: Omit<WatchResponse, "at" | "atMs">) => void;
  /** The stream broke; nothing comes after it. */
  readonly ended: () => void;
}

export interface WatchHandle {
  /** Asks for a progress notification. */
  requestProgress(): void;
  close(): void;
}

export interface Endpoint {
  readonly name: string;
  /** One attempt. Resolves whatever comes of it, at the latest after `timeoutMs`. */
  call(request: Request, timeoutMs: number): Promise<Outcome>;
  watch(request: WatchRequest, handlers: WatchHandlers): WatchHandle;
}

/** What traffic knows of the world that it runs in. */
export interface World {
  /** Those that can be asked at present. */
  endpoints(): readonly Endpoint[];
  sleep(ms: number): Promise<void>;
  nowMs(): number;
}
