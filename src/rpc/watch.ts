/**
 * etcdserverpb.Watch: one hub stream per gRPC stream. The hub decides what is sent and when; this
 * file turns it into WatchResponse messages and the connection's room into `ready`.
 */
import type { Code } from "../errors/index.ts";
import { errors } from "../errors/index.ts";
import type { Method, ServerStream } from "../grpc/index.ts";
import type { WatchSink, WatchStream } from "../watch/index.ts";
import { decodeWatchRequest, encodeWatchResponse, encodeWatchResponseHead } from "../wire/index.ts";
import { headerOf, type RpcContext } from "./context.ts";
import { HeaderCache } from "./header-cache.ts";

/** Events from this size on are handed over without being copied into a message first. */
const EVENTS_BYTES_IN_PLACE = 16 * 1024;

/** `open` streams are ended by `close` when the member stops (WA-15). */
export class WatchService {
  readonly #context: RpcContext;
  readonly #headers: HeaderCache;
  readonly #open = new Set<WatchCall>();

  constructor(context: RpcContext) {
    this.#context = context;
    this.#headers = new HeaderCache(context.member);
  }

  methods(): [string, Method][] {
    const handle = (call: ServerStream) => {
      const watch = new WatchCall(this.#context, this.#headers, call, () =>
        this.#open.delete(watch),
      );
      this.#open.add(watch);
    };
    return [["/etcdserverpb.Watch/Watch", { kind: "stream", handle }]];
  }

  close(): void {
    for (const watch of [...this.#open]) {
      watch.end(errors.WatchCanceled.code, errors.WatchCanceled.message);
    }
  }
}

class WatchCall implements WatchSink {
  readonly #context: RpcContext;
  readonly #headers: HeaderCache;
  readonly #call: ServerStream;
  readonly #stream: WatchStream;
  readonly #onEnd: () => void;

  constructor(context: RpcContext, headers: HeaderCache, call: ServerStream, onEnd: () => void) {
    this.#context = context;
    this.#headers = headers;
    this.#call = call;
    this.#onEnd = onEnd;
    this.#stream = context.member.openWatchStream(this);
    call.onMessage = (bytes) => this.#onMessage(bytes);
    call.onDrain = () => {
      call.resumeMessages();
      this.#stream.ready();
    };
    call.onCancel = () => this.#close();
  }

  #onMessage(bytes: Buffer): void {
    const request = decodeWatchRequest(bytes);
    switch (request.kind) {
      case "create":
        return this.#stream.create(request.create);
      case "cancel":
        return this.#stream.cancel(request.watchId);
      case "progress":
        return this.#stream.requestProgress();
      case "none":
        return;
    }
  }

  end(code: Code, message: string): void {
    this.#close();
    this.#call.fail(code, message);
  }

  #close(): void {
    this.#stream.close();
    this.#onEnd();
  }

  created(watchId: number, revision: number): boolean {
    return this.#respond(watchId, revision, { created: true, canceled: false });
  }

  refused(reason: string, revision: number): boolean {
    return this.#respond(-1, revision, { created: true, canceled: true, cancelReason: reason });
  }

  canceled(watchId: number, revision: number, compactRevision: number): boolean {
    return this.#respond(watchId, revision, { created: false, canceled: true, compactRevision });
  }

  progress(watchId: number, revision: number): boolean {
    return this.#respond(watchId, revision, { created: false, canceled: false });
  }

  events(watchId: number, revision: number, encodedEvents: Buffer, isFragment: boolean): boolean {
    const { writer } = this.#context;
    writer.reset();
    encodeWatchResponseHead(writer, this.#headers.at(revision), watchId, isFragment);
    if (encodedEvents.length < EVENTS_BYTES_IN_PLACE) {
      writer.raw(encodedEvents);
      return this.#call.send(writer.view());
    }
    this.#call.beginMessage(writer.length + encodedEvents.length);
    this.#call.sendPiece(writer.view());
    return this.#call.sendPiece(encodedEvents);
  }

  #respond(
    watchId: number,
    revision: number,
    fields: {
      created: boolean;
      canceled: boolean;
      compactRevision?: number;
      cancelReason?: string;
    },
  ): boolean {
    const { member, writer } = this.#context;
    writer.reset();
    encodeWatchResponse(writer, {
      header: headerOf(member, revision),
      watchId,
      created: fields.created,
      canceled: fields.canceled,
      compactRevision: fields.compactRevision ?? 0,
      cancelReason: fields.cancelReason ?? "",
      fragment: false,
      events: [],
    });
    const hasRoom = this.#call.send(writer.view());
    // A client that does not read its answers may not ask for more of them.
    if (!hasRoom) this.#call.pauseMessages();
    return hasRoom;
  }
}
