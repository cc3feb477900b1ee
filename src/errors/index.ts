export { Code } from "./code.ts";
export { EtcdError } from "./error.ts";
export { codeName, statusText } from "./status-text.ts";
export { type ErrorId, errors } from "./table.ts";
