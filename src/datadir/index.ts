export { bumpRevision } from "./bump-revision.ts";
export {
  type DataDirectory,
  DataDirectoryError,
  findDataDirectory,
  openDataDirectory,
  parentOf,
  pathsOf,
  RECOVERY_READY,
} from "./data-directory.ts";
export { type KnownPeers, readPeers, writePeers } from "./peers-file.ts";
export { setLogAside, setStoreAside } from "./set-aside.ts";
export { SnapshotRefused } from "./errors.ts";
export { deriveClusterId, deriveMemberId, formatId } from "./ids.ts";
export {
  lifePaths,
  nextLife,
  readLife,
  readFloors,
  type StoredLife,
  writeFloors,
  writeLife,
} from "./life.ts";
export { type Rejoin, REJOIN_NOTE, removeRejoin, resumeRejoin, writeRejoin } from "./rejoin.ts";
export { type ImageOptions, openImage } from "./image.ts";
export { importedPoint, importStore, type ImportOptions } from "./import-store.ts";
export {
  finishInstall,
  type FinishOptions,
  type InstallOutcome,
  type InstallPlace,
  installStore,
} from "./install-store.ts";
export {
  type Arrival,
  ArrivalRefused,
  SnapshotInbox,
  type SnapshotName,
} from "./snapshot-inbox.ts";
export {
  type RestoredMember,
  type RestoreMember,
  type RestoreOptions,
  restoreSnapshot,
} from "./restore.ts";
export { openStoreImage, type StoreImageOptions } from "./store-image.ts";
export { takeStore, type TakeStoreOptions } from "./take-store.ts";
export { type ForcedLog, forceSingle, type ForceSingleOptions } from "./force-single.ts";
export { changeMembers, type MemberRows, Replay, requestOf } from "./replay.ts";
export { writeWhole } from "./whole-file.ts";
