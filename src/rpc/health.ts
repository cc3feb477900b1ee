/** grpc.health.v1 (HE-01): the service "" is the whole server. */
import { Code } from "../errors/index.ts";
import type { Method, ServerStream } from "../grpc/index.ts";
import {
  decodeMessage,
  encodeMessage,
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  ServingStatus,
} from "../wire/index.ts";

export class HealthService {
  #status: ServingStatus = ServingStatus.SERVING;
  /** Watch streams of the known service; told when the status changes. */
  readonly #watchers = new Set<ServerStream>();

  methods(): [string, Method][] {
    return [
      [
        "/grpc.health.v1.Health/Check",
        { kind: "unary", handle: (call, request) => this.#check(call, request) },
      ],
      ["/grpc.health.v1.Health/List", { kind: "unary", handle: (call) => this.#list(call) }],
      [
        "/grpc.health.v1.Health/Watch",
        { kind: "stream", type: "server_stream", handle: (call) => this.#watch(call) },
      ],
    ];
  }

  stop(): void {
    this.#status = ServingStatus.NOT_SERVING;
    for (const call of this.#watchers) {
      this.#send(call, ServingStatus.NOT_SERVING);
      call.fail(Code.CANCELLED, "context canceled");
    }
    this.#watchers.clear();
  }

  #check(call: ServerStream, bytes: Buffer): void {
    if (decodeMessage(HealthCheckRequestSchema, bytes).service !== "") {
      call.fail(Code.NOT_FOUND, "unknown service");
      return;
    }
    call.respond(encodeMessage(HealthCheckResponseSchema, { status: this.#status }));
  }

  #list(call: ServerStream): void {
    call.respond(
      encodeMessage(HealthListResponseSchema, { statuses: { "": { status: this.#status } } }),
    );
  }

  #watch(call: ServerStream): void {
    call.onMessage = (bytes) => {
      call.onMessage = undefined;
      if (decodeMessage(HealthCheckRequestSchema, bytes).service !== "") {
        this.#send(call, ServingStatus.SERVICE_UNKNOWN);
        return;
      }
      this.#watchers.add(call);
      this.#send(call, this.#status);
    };
    call.onCancel = () => this.#watchers.delete(call);
  }

  #send(call: ServerStream, status: ServingStatus): void {
    call.send(encodeMessage(HealthCheckResponseSchema, { status }));
  }
}
