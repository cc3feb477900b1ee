/** What kinds of traffic there are: which requests, on how many keys, by how many clients. */

/** How often each kind of request is chosen, by weight. */
export interface Weights {
  readonly put: number;
  readonly deleteKey: number;
  readonly deleteRange: number;
  /** Several puts and deletes at once, or one under a condition. */
  readonly txn: number;
  readonly get: number;
  readonly list: number;
  /** At an older revision. */
  readonly oldRead: number;
  readonly serializableRead: number;
}

export interface Profile {
  readonly name: string;
  /** Clients that ask any member, each time another. */
  readonly clients: number;
  /** Longest pause between an answer and the next request. */
  readonly restMaxMs: number;
  readonly keys: number;
  readonly weights: Weights;
  /** Clients that hold a lease, put keys on it, renew it, give it up or leave it to its end. */
  readonly leaseClients: number;
  /** Clients that keep a list of objects by watching, and change them by compare-and-put. */
  readonly controllers: number;
  /** Controllers only create and delete. */
  readonly isCreateDelete: boolean;
  /** Somebody raises the alarm that refuses writes, and takes it back soon after. */
  readonly hasAlarms: boolean;
  /** Clients that watch, for a while each time. */
  readonly watchers: number;
  /** A watch starts this many revisions before or after what is known. */
  readonly watchOffsetMin: number;
  readonly watchOffsetMax: number;
  /** Time between two compactions; 0 = none. */
  readonly compactEveryMs: number;
  /** A compaction leaves up to twice as many revisions, and may leave none. */
  readonly compactKeep: number;
  /** Clients ask the same again until they are answered; else only sometimes. */
  readonly isPatient: boolean;
  /** A client waits so long for an answer; the outcome is unknown then. */
  readonly timeoutMs: number;
}

const WEIGHTS: Weights = {
  put: 30,
  deleteKey: 5,
  deleteRange: 2,
  txn: 8,
  get: 20,
  list: 8,
  oldRead: 4,
  serializableRead: 10,
};

const BASE: Profile = {
  name: "mixed",
  clients: 4,
  restMaxMs: 60,
  keys: 8,
  weights: WEIGHTS,
  leaseClients: 2,
  controllers: 1,
  isCreateDelete: false,
  hasAlarms: true,
  watchers: 3,
  watchOffsetMin: -100,
  watchOffsetMax: 100,
  compactEveryMs: 1_500,
  compactKeep: 20,
  isPatient: false,
  timeoutMs: 10_000,
};

function only(weights: Partial<Weights>): Weights {
  const none: Weights = {
    put: 0,
    deleteKey: 0,
    deleteRange: 0,
    txn: 0,
    get: 0,
    list: 0,
    oldRead: 0,
    serializableRead: 0,
  };
  return { ...none, ...weights };
}

const READS = { get: 20, list: 8, oldRead: 4, serializableRead: 8 };

export const PROFILES: readonly Profile[] = [
  BASE,
  {
    ...BASE,
    name: "put",
    weights: only({ ...READS, put: 60 }),
    leaseClients: 0,
    controllers: 0,
    hasAlarms: false,
  },
  {
    ...BASE,
    name: "put-delete-lease",
    weights: only({ ...READS, put: 40, deleteKey: 15 }),
    leaseClients: 4,
    controllers: 0,
  },
  {
    ...BASE,
    name: "txn",
    weights: only({ ...READS, put: 10, txn: 50 }),
    leaseClients: 0,
    controllers: 0,
  },
  {
    ...BASE,
    name: "delete",
    weights: only({ ...READS, put: 35, deleteKey: 25, deleteRange: 8 }),
    leaseClients: 0,
    controllers: 0,
    watchers: 5,
    compactEveryMs: 300,
  },
  {
    ...BASE,
    name: "kubernetes",
    clients: 0,
    leaseClients: 1,
    controllers: 6,
    watchers: 4,
  },
  {
    ...BASE,
    name: "kubernetes-create-delete",
    clients: 0,
    leaseClients: 0,
    controllers: 6,
    isCreateDelete: true,
    watchers: 4,
    compactEveryMs: 400,
    compactKeep: 2,
  },
];

export function profileNamed(name: string): Profile {
  const found = PROFILES.find((profile) => profile.name === name);
  if (found !== undefined) return found;
  const known = PROFILES.map((profile) => profile.name).join(", ");
  throw new RangeError(`there is no profile "${name}"; there are ${known}`);
}
