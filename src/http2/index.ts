export {
  Http2Connection,
  type HeaderSource,
  type Http2Events,
  type Http2Options,
} from "./connection.ts";
export { ErrorCode } from "./error-code.ts";
export { PREFACE } from "./frame.ts";
export { HeaderBlock, HeaderField } from "./header-block.ts";
export { type HeaderList, PreparedHeaders } from "./hpack-encoder.ts";
export { HTTP2_LIMITS_DEFAULT, type Http2Limits } from "./limits.ts";
export type { Stream } from "./stream.ts";
