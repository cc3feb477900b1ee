import type { EtcdError } from "../errors/index.ts";
import type { AlarmMember, AlarmRequest } from "../wire/index.ts";

/** The cluster's alarms, the same on every member since only committed entries change them. */
export interface AlarmSet {
  /**
   * Applies GET, ACTIVATE or DEACTIVATE (MA-01). Returns the alarms that the answer names, or a
   * refusal of an action or a type that nobody knows (DV-01), which has no effect.
   */
  apply(request: AlarmRequest): AlarmMember[] | EtcdError;
  /** All, sorted by type and member id. */
  list(): readonly AlarmMember[];
  /** NOSPACE is raised on some member: requests that cost space are refused (MA-02). */
  readonly isCapped: boolean;
  /** CORRUPT is raised for all: almost everything is refused (MA-02). */
  readonly isCorrupt: boolean;
  /** Members with a CORRUPT alarm that concerns them alone, by id. */
  readonly scoped: readonly bigint[];
}
