export { BackendFailed, CorruptRecord, DamagedFile, DamagedTable } from "./errors.ts";
export { imageOfView, type StoreImage } from "./image.ts";
export { type LmdbBackendOptions, openLmdbBackend } from "./lmdb-backend.ts";
export { MemoryBackend, type MemoryBackendOptions, MemoryMedium } from "./memory-backend.ts";
export { newestSequence, openStoreReadOnly, storeFileOf } from "./read-only-backend.ts";
export * from "./types.ts";
