export { Code } from "./code.ts";
export { EtcdError } from "./error.ts";
