/**
 * All services of the client port in one method table, each handler behind a guard: a request that
 * cannot be decoded is refused, a record that fails its checksum is DataLoss, and neither ends more
 * than its own call.
 */
import { ByteWriter } from "../base/index.ts";
import type { Method, MethodTable, ServerStream } from "../grpc/index.ts";
import { ClientVersions } from "./client-versions.ts";
import { Gate } from "./gate.ts";
import { clusterMethods } from "./cluster.ts";
import { attempt, failCall, failThrown, type RpcContext, type RpcOptions } from "./context.ts";
import { HealthService } from "./health.ts";
import { kvMethods } from "./kv.ts";
import { leaseMethods } from "./lease.ts";
import { maintenanceMethods } from "./maintenance.ts";
import { WatchService } from "./watch.ts";

export interface Rpc {
  readonly methods: MethodTable;
  /** Calls by type and API version of the client: "unary 3.7" -> count. */
  readonly clientRequests: ReadonlyMap<string, { readonly value: number }>;
  /** Health turns to NOT_SERVING and streams that would never end are ended (FR-13, WA-15). */
  drain(): void;
}

export function openRpc(options: RpcOptions): Rpc {
  const context: RpcContext = { ...options, writer: new ByteWriter(64 * 1024) };
  const watch = new WatchService(context);
  const health = new HealthService();
  const versions = new ClientVersions();
  const gate = new Gate(options);
  const methods = new Map<string, Method>();
  const tables = [
    kvMethods(context),
    watch.methods(),
    leaseMethods(context),
    clusterMethods(context),
    maintenanceMethods(context),
    health.methods(),
  ];
  for (const table of tables) {
    for (const [path, method] of table)
      methods.set(path, guarded(context, { versions, gate }, method));
  }
  return {
    methods,
    clientRequests: versions.counts,
    drain: () => {
      gate.close();
      health.stop();
      watch.close();
    },
  };
}

interface Guards {
  readonly versions: ClientVersions;
  readonly gate: Gate;
}

function guarded(context: RpcContext, { versions, gate }: Guards, method: Method): Method {
  if (method.kind === "unary") {
    const handle = method.handle;
    return {
      kind: "unary",
      handle: (call, request) => {
        try {
          const refusal = versions.note(call, false) ?? gate.unary(call, request);
          if (refusal !== undefined) return failCall(call, refusal);
          handle(call, request);
        } catch (error) {
          failThrown(context, call, error);
        }
      },
    };
  }
  const handle = method.handle;
  return {
    ...method,
    handle: (call: ServerStream) => {
      const refusal = versions.note(call, true) ?? gate.stream(call);
      if (refusal !== undefined) return failCall(call, refusal);
      handle(call);
      const onMessage = call.onMessage;
      if (onMessage === undefined) return;
      call.onMessage = (message) => attempt(context, call, () => onMessage(message));
    },
  };
}
