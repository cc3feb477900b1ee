/** Commands about the cluster and its members; the second API's are among them. */
import type { Entry } from "./command.ts";

const member = () => import("./commands/member.ts");
const endpoint = () => import("./commands/endpoint.ts");
const alarm = () => import("./commands/alarm.ts");
const downgrade = () => import("./commands/downgrade.ts");
const memberV2 = () => import("./v2/member.ts");

/** Also a verb of its own, and the same with either API. */
const HEALTH: Entry = {
  group: "Cluster",
  name: "health",
  summary: "Shows all members at a glance, and what is wrong",
  load: async () => (await import("./health/command.ts")).health,
};

/** Commands of the third API. */
export const CLUSTER_COMMANDS: readonly Entry[] = [
  HEALTH,
  {
    group: "Cluster",
    name: "member list",
    summary: "Lists the members",
    load: async () => (await member()).memberList,
  },
  {
    group: "Cluster",
    name: "member add",
    summary: "Adds a member",
    load: async () => (await member()).memberAdd,
  },
  {
    group: "Cluster",
    name: "member remove",
    summary: "Removes a member",
    load: async () => (await member()).memberRemove,
  },
  {
    group: "Cluster",
    name: "member update",
    summary: "Changes a member's peer URLs",
    load: async () => (await member()).memberUpdate,
  },
  {
    group: "Cluster",
    name: "member promote",
    summary: "Gives a learner a vote",
    load: async () => (await member()).memberPromote,
  },
  {
    group: "Cluster",
    name: "member replace",
    summary: "Puts a new member in the place of one that is lost",
    load: async () => (await import("./commands/member-replace.ts")).memberReplace,
  },
  {
    group: "Cluster",
    name: "rolling-restart",
    summary: "Restarts or upgrades all members, one at a time",
    load: async () => (await import("./commands/rolling-restart.ts")).rollingRestart,
  },
  {
    group: "Cluster",
    name: "top",
    summary: "Shows what the cluster does now: rates, lag, sizes",
    load: async () => (await import("./top/command.ts")).top,
  },
  {
    group: "Cluster",
    name: "care log",
    summary: "Shows what members found wrong, and what they did",
    load: async () => (await import("./commands/care-log.ts")).careLog,
  },
  {
    group: "Cluster",
    name: "endpoint health",
    summary: "Asks each endpoint whether it is healthy",
    load: async () => (await endpoint()).endpointHealth,
  },
  {
    group: "Cluster",
    name: "endpoint status",
    summary: "Shows version, size, role and raft position of each endpoint",
    load: async () => (await endpoint()).endpointStatus,
  },
  {
    group: "Cluster",
    name: "endpoint hashkv",
    summary: "Shows a hash of each endpoint's data",
    load: async () => (await endpoint()).endpointHashKv,
  },
  {
    group: "Cluster",
    name: "alarm list",
    summary: "Lists the alarms",
    load: async () => (await alarm()).alarmList,
  },
  {
    group: "Cluster",
    name: "alarm disarm",
    summary: "Clears the alarms",
    load: async () => (await alarm()).alarmDisarm,
  },
  {
    group: "Cluster",
    name: "defrag",
    summary: "Gives free space of the members' files back",
    load: async () => (await import("./commands/defrag.ts")).defrag,
  },
  {
    group: "Cluster",
    name: "snapshot save",
    summary: "Stores a member's whole store in a file",
    load: async () => (await import("./commands/snapshot-save.ts")).snapshotSave,
  },
  {
    group: "Cluster",
    name: "move-leader",
    summary: "Hands the leadership to another member",
    load: async () => (await import("./commands/move-leader.ts")).moveLeader,
  },
  {
    group: "Cluster",
    name: "downgrade validate",
    summary: "Says whether the cluster could go back to a version",
    load: async () => (await downgrade()).downgradeValidate,
  },
  {
    group: "Cluster",
    name: "downgrade enable",
    summary: "Lets members be replaced by those of an older version",
    load: async () => (await downgrade()).downgradeEnable,
  },
  {
    group: "Cluster",
    name: "downgrade cancel",
    summary: "Ends a downgrade",
    load: async () => (await downgrade()).downgradeCancel,
  },
  {
    group: "Utility",
    name: "check perf",
    summary: "Checks whether the cluster keeps up with a load",
    load: async () => (await import("./commands/check-perf.ts")).checkPerf,
  },
  {
    group: "Utility",
    name: "check datascale",
    summary: "Checks how much memory a number of keys takes",
    load: async () => (await import("./commands/check-datascale.ts")).checkDatascale,
  },
  {
    group: "Utility",
    name: "make-mirror",
    summary: "Keeps a copy of the keys in another cluster",
    load: async () => (await import("./commands/make-mirror.ts")).makeMirror,
  },
];

/** Commands of the second API. */
export const CLUSTER_COMMANDS_V2: readonly Entry[] = [
  HEALTH,
  {
    group: "Cluster",
    name: "cluster-health",
    summary: "Asks each member whether it is healthy",
    load: async () => (await import("./v2/cluster-health.ts")).clusterHealth,
  },
  {
    group: "Cluster",
    name: "member list",
    summary: "Lists the members, and who leads",
    load: async () => (await memberV2()).memberListV2,
  },
  {
    group: "Cluster",
    name: "member add",
    summary: "Adds a member",
    load: async () => (await memberV2()).memberAddV2,
  },
  {
    group: "Cluster",
    name: "member remove",
    summary: "Removes a member",
    load: async () => (await memberV2()).memberRemoveV2,
  },
  {
    group: "Cluster",
    name: "member update",
    summary: "Changes a member's peer URLs",
    load: async () => (await memberV2()).memberUpdateV2,
  },
];
