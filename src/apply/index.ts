export { costOfOperation, costOfPut, costOfTxn } from "./cost.ts";
export {
  ALREADY_APPLIED,
  CLUSTER_INCARNATION,
  createMachine,
  type MachineParts,
} from "./machine.ts";
export { decodeMemberRecord, encodeMemberRecord } from "./member-table.ts";
export { executeRange, hasKnownSort, type RangeView } from "./range.ts";
export { executeReadTxn, isReadOnlyTxn } from "./txn.ts";
export type * from "./types.ts";
export { decodeConfStateRow, encodeConfStateRow, META_CONF_STATE } from "./conf-state.ts";
