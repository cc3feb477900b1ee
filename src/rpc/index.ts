export type { RpcOptions } from "./context.ts";
export { openRpc, type Rpc } from "./services.ts";
