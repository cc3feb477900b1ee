/**
 * Every refusal that a client can see, one row each: etcd's code and etcd's exact text.
 *
 * The names are those of etcd's client library (without `Err`), so that a reader of either finds
 * the other; what has no name there is named in its words. Clients match on the texts: they are
 * never changed, not even where they are wrong. Rows of services that do not exist here yet are
 * here.
 *
 * Where etcd lets a refusal slip out as Unknown although its own table says otherwise (FR-31), the
 * declared code is sent. docs/reference/errors.md lists the rows for users; a test compares them.
 *
 * Source: surface 1.5, FR-31, FR-32, WA-03, WA-04, sections 8 and 9.
 */
import { Code } from "./code.ts";
import { EtcdError } from "./error.ts";

const rows = {
  // Keys and transactions
  EmptyKey: [Code.INVALID_ARGUMENT, "etcdserver: key is not provided"],
  KeyNotFound: [Code.INVALID_ARGUMENT, "etcdserver: key not found"],
  ValueProvided: [Code.INVALID_ARGUMENT, "etcdserver: value is provided"],
  LeaseProvided: [Code.INVALID_ARGUMENT, "etcdserver: lease is provided"],
  TooManyOps: [Code.INVALID_ARGUMENT, "etcdserver: too many operations in txn request"],
  DuplicateKey: [Code.INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request"],
  InvalidClientAPIVersion: [Code.INVALID_ARGUMENT, "etcdserver: invalid client api version"],
  InvalidSortOption: [Code.INVALID_ARGUMENT, "etcdserver: invalid sort option"],
  Compacted: [Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted"],
  FutureRev: [Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision"],
  NoSpace: [Code.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded"],
  RangeStreamSort: [Code.UNIMPLEMENTED, "RangeStream does not support custom sort orders"],
  RangeStreamFilter: [Code.UNIMPLEMENTED, "RangeStream does not support revision filters"],

  // Requests as such
  RequestTooLarge: [Code.INVALID_ARGUMENT, "etcdserver: request is too large"],
  TooManyRequests: [Code.RESOURCE_EXHAUSTED, "etcdserver: too many requests"],
  Canceled: [Code.CANCELLED, "etcdserver: request canceled"],
  DeadlineExceeded: [Code.DEADLINE_EXCEEDED, "etcdserver: context deadline exceeded"],

  // Leases
  LeaseNotFound: [Code.NOT_FOUND, "etcdserver: requested lease not found"],
  LeaseExist: [Code.FAILED_PRECONDITION, "etcdserver: lease already exists"],
  LeaseTTLTooLarge: [Code.OUT_OF_RANGE, "etcdserver: too large lease TTL"],
  NotPrimaryLessor: [Code.UNKNOWN, "not a primary lessor"],

  // Watches; the two of mvcc stand in cancel_reason, never in a status
  WatchCanceled: [Code.CANCELLED, "etcdserver: watch canceled"],
  EmptyWatcherRange: [Code.UNKNOWN, "mvcc: watcher range is empty"],
  WatcherDuplicateID: [Code.UNKNOWN, "mvcc: duplicate watch ID provided on the WatchStream"],

  // Members
  MemberExist: [Code.FAILED_PRECONDITION, "etcdserver: member ID already exist"],
  PeerURLExist: [Code.FAILED_PRECONDITION, "etcdserver: Peer URLs already exists"],
  MemberNotEnoughStarted: [
    Code.FAILED_PRECONDITION,
    "etcdserver: re-configuration failed due to not enough started members",
  ],
  MemberBadURLs: [Code.INVALID_ARGUMENT, "etcdserver: given member URLs are invalid"],
  MemberNotFound: [Code.NOT_FOUND, "etcdserver: member not found"],
  MemberNotLearner: [Code.FAILED_PRECONDITION, "etcdserver: can only promote a learner member"],
  MemberLearnerNotReady: [
    Code.FAILED_PRECONDITION,
    "etcdserver: can only promote a learner member which is in sync with leader",
  ],
  TooManyLearners: [Code.FAILED_PRECONDITION, "etcdserver: too many learner members in cluster"],
  ClusterIDMismatch: [Code.FAILED_PRECONDITION, "etcdserver: cluster ID mismatch"],
  NotSupportedForLearner: [Code.FAILED_PRECONDITION, "etcdserver: rpc not supported for learner"],

  // Leadership and health of the cluster
  NoLeader: [Code.UNAVAILABLE, "etcdserver: no leader"],
  NotLeader: [Code.FAILED_PRECONDITION, "etcdserver: not leader"],
  LeaderChanged: [Code.UNAVAILABLE, "etcdserver: leader changed"],
  NotCapable: [Code.FAILED_PRECONDITION, "etcdserver: not capable"],
  Stopped: [Code.UNAVAILABLE, "etcdserver: server stopped"],
  Timeout: [Code.UNAVAILABLE, "etcdserver: request timed out"],
  TimeoutDueToLeaderFail: [
    Code.UNAVAILABLE,
    "etcdserver: request timed out, possibly due to previous leader failure",
  ],
  TimeoutDueToConnectionLost: [
    Code.UNAVAILABLE,
    "etcdserver: request timed out, possibly due to connection lost",
  ],
  TimeoutWaitAppliedIndex: [
    Code.UNAVAILABLE,
    "etcdserver: request timed out, waiting for the applied index took too long",
  ],
  TimeoutLeaderTransfer: [
    Code.UNKNOWN,
    "etcdserver: request timed out, leader transfer took too long",
  ],
  Unhealthy: [Code.UNAVAILABLE, "etcdserver: unhealthy cluster"],
  Corrupt: [Code.DATA_LOSS, "etcdserver: corrupt cluster"],
  BadLeaderTransferee: [Code.FAILED_PRECONDITION, "etcdserver: bad leader transferee"],

  // Downgrade
  ClusterVersionUnavailable: [
    Code.FAILED_PRECONDITION,
    "etcdserver: cluster version not found during downgrade",
  ],
  WrongDowngradeVersionFormat: [
    Code.INVALID_ARGUMENT,
    "etcdserver: wrong downgrade target version format",
  ],
  InvalidDowngradeTargetVersion: [
    Code.INVALID_ARGUMENT,
    "etcdserver: invalid downgrade target version",
  ],
  DowngradeInProcess: [
    Code.FAILED_PRECONDITION,
    "etcdserver: cluster has a downgrade job in progress",
  ],
  NoInflightDowngrade: [Code.FAILED_PRECONDITION, "etcdserver: no inflight downgrade job"],

  // Users, roles and tokens
  RootUserNotExist: [Code.FAILED_PRECONDITION, "etcdserver: root user does not exist"],
  RootRoleNotExist: [Code.FAILED_PRECONDITION, "etcdserver: root user does not have root role"],
  UserAlreadyExist: [Code.FAILED_PRECONDITION, "etcdserver: user name already exists"],
  UserEmpty: [Code.INVALID_ARGUMENT, "etcdserver: user name is empty"],
  UserNotFound: [Code.FAILED_PRECONDITION, "etcdserver: user name not found"],
  RoleAlreadyExist: [Code.FAILED_PRECONDITION, "etcdserver: role name already exists"],
  RoleNotFound: [Code.FAILED_PRECONDITION, "etcdserver: role name not found"],
  RoleEmpty: [Code.INVALID_ARGUMENT, "etcdserver: role name is empty"],
  AuthFailed: [
    Code.INVALID_ARGUMENT,
    "etcdserver: authentication failed, invalid user ID or password",
  ],
  PermissionNotGiven: [Code.INVALID_ARGUMENT, "etcdserver: permission not given"],
  PermissionDenied: [Code.PERMISSION_DENIED, "etcdserver: permission denied"],
  RoleNotGranted: [Code.FAILED_PRECONDITION, "etcdserver: role is not granted to the user"],
  PermissionNotGranted: [
    Code.FAILED_PRECONDITION,
    "etcdserver: permission is not granted to the role",
  ],
  AuthNotEnabled: [Code.FAILED_PRECONDITION, "etcdserver: authentication is not enabled"],
  InvalidAuthToken: [Code.UNAUTHENTICATED, "etcdserver: invalid auth token"],
  InvalidAuthMgmt: [Code.INVALID_ARGUMENT, "etcdserver: invalid auth management"],
  AuthOldRevision: [Code.INVALID_ARGUMENT, "etcdserver: revision of auth store is old"],
  NoPasswordUser: [
    Code.UNKNOWN,
    "auth: authentication failed, password was given for no password user",
  ],
  PasswordTooLong: [Code.UNKNOWN, "bcrypt: password length exceeds 72 bytes"],

  // Election and lock
  ElectionNotLeader: [Code.UNKNOWN, "election: not leader"],
  ElectionNoLeader: [Code.UNKNOWN, "election: no leader"],
  MissingLeaderKey: [Code.UNKNOWN, '"leader" field must be provided'],
  SessionExpired: [Code.UNKNOWN, "mutex: session is expired"],

  // Health
  UnknownService: [Code.NOT_FOUND, "unknown service"],

  // JSON gateway
  GatewayNotFound: [Code.NOT_FOUND, "Not Found"],
  GatewayMethodNotAllowed: [Code.UNIMPLEMENTED, "Method Not Allowed"],
  GatewayCommonName: [
    Code.INVALID_ARGUMENT,
    "CommonName of client sending a request against gateway " +
      "will be ignored and not used as expected",
  ],

  // Where etcd crashes or answers with what its libraries say
  UnknownMethod: [Code.UNKNOWN, "etcdserver: unknown method"],
  InvalidAlarm: [Code.INVALID_ARGUMENT, "etcdserver: invalid alarm"],
  MalformedRequest: [
    Code.INTERNAL,
    "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data",
  ],
} as const satisfies Record<string, readonly [Code, string]>;

export type ErrorId = keyof typeof rows;

export const errors: Readonly<Record<ErrorId, EtcdError>> = Object.fromEntries(
  Object.entries(rows).map(([id, [code, message]]) => [id, new EtcdError(id, code, message)]),
) as Record<ErrorId, EtcdError>;
