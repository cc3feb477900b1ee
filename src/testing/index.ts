export {
  DiskCrashed,
  type DiskImage,
  type DiskOperation,
  SimulatedDisk,
  type SimulatedDiskOptions,
  type Flip,
} from "./disk.ts";
export { ModelStore, ModelTransaction } from "./model-store.ts";
export { type Recorded, type RecordedEvent, WatchRecorder } from "./watch-recorder.ts";
export { connectionPair, PairedConnection } from "./connection-pair.ts";
export {
  literalBlock,
  type RawFrame,
  rawFrame,
  readFrames,
  settings,
  uint32,
} from "./http2-frames.ts";
export { ManualTime } from "./manual-time.ts";
export {
  type LinkConditions,
  type NetworkEvent,
  type NetworkFate,
  QUIET_LINK,
  SimulatedNetwork,
  type SimulatedNetworkOptions,
} from "./simulated-network.ts";
export { SimulatedProcess } from "./simulated-process.ts";
export { Http2Recorder } from "./http2-recorder.ts";
