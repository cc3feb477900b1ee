export {
  DiskCrashed,
  type DiskOperation,
  SimulatedDisk,
  type SimulatedDiskOptions,
} from "./disk.ts";
