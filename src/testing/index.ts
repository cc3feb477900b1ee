export {
  DiskCrashed,
  type DiskOperation,
  SimulatedDisk,
  type SimulatedDiskOptions,
} from "./disk.ts";
export { ModelStore, ModelTransaction } from "./model-store.ts";
export { type Recorded, type RecordedEvent, WatchRecorder } from "./watch-recorder.ts";
