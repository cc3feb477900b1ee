export { FlushQueue } from "./flush-queue.ts";
export { KEEPALIVE_DEFAULT, type KeepaliveOptions } from "./keepalive.ts";
export { GRPC_LIMITS_DEFAULT, type GrpcLimits } from "./limits.ts";
export { decodeBinary, encodeBinary } from "./metadata.ts";
export { MethodStats, ServerStats } from "./method-stats.ts";
export { GrpcServer, type GrpcServerOptions } from "./server.ts";
export type * from "./types.ts";
export { type CallOptions, ClientGroup, type ClientOptions, type GrpcClient } from "./client.ts";
export type { ClientCall, UnaryDone } from "./client-call.ts";
