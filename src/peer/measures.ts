/** What is counted of one other member. */
import { Counter, exponentialBounds, Histogram } from "../base/index.ts";
import type { PeerMeasures } from "../seam/index.ts";

/** etcd's buckets. */
const ROUND_TRIP_BOUNDS = exponentialBounds(0.0001, 2, 16);
const SNAPSHOT_BOUNDS = exponentialBounds(0.1, 2, 10);

export class Measures implements PeerMeasures {
  readonly id: bigint;
  isActive = false;
  streams = 0;
  readonly sentBytes = new Counter();
  readonly receivedBytes = new Counter();
  readonly sentFailures = new Counter();
  readonly receivedFailures = new Counter();
  readonly disconnects = new Counter();
  readonly roundTripSeconds = new Histogram(ROUND_TRIP_BOUNDS);
  clockDifferenceSeconds: number | undefined;
  readonly snapshotsSent = new Counter();
  readonly snapshotSendFailures = new Counter();
  readonly snapshotSendSeconds = new Histogram(SNAPSHOT_BOUNDS);
  snapshotsBeingSent = 0;
  readonly snapshotsReceived = new Counter();
  readonly snapshotReceiveFailures = new Counter();
  readonly snapshotReceiveSeconds = new Histogram(SNAPSHOT_BOUNDS);
  snapshotsBeingReceived = 0;

  constructor(id: bigint) {
    this.id = id;
  }
}
