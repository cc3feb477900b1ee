export {
  applyConfChange,
  asConfChangeV2,
  type ConfChangeOutcome,
  ConfChangeTransition,
  type Config,
  configOf,
  confStateOf,
  isJoint,
  isMember,
  isVoter,
} from "./conf-change.ts";
export { emptySnapshot, MemoryStorage } from "./memory-storage.ts";
export type { Progress, ProgressState } from "./progress.ts";
export { decodeChange } from "./raft.ts";
export { type BootstrapPeer, type NodeStatus, RawNode } from "./raw-node.ts";
export { readRequestContext, readRequestSequence } from "./read-only.ts";
export { needsSync, type Ready, type SoftState, withoutCoveredAcks } from "./ready.ts";
export type { Storage } from "./storage.ts";
export {
  APPEND_THREAD,
  APPLY_THREAD,
  ETCD_RAFT_OPTIONS,
  type Evidence,
  isStorageMessage,
  NONE,
  type RaftOptions,
  type ReadOnlyOption,
  type ReadState,
  type Role,
  type StepResult,
  type StorageMessage,
} from "./types.ts";
