/** Counters of one method, in the terms of the grpc_server_* metrics (surface section 14). */
export class MethodStats {
  /** "etcdserverpb.KV". */
  readonly service: string;
  /** "Put". */
  readonly method: string;
  /** `grpc_type`: unary, client_stream, server_stream or bidi_stream. */
  readonly type: string;
  started = 0;
  /** By status code. */
  readonly handled = new Float64Array(17);
  messagesReceived = 0;
  messagesSent = 0;

  constructor(path: string, type: string) {
    const slash = path.lastIndexOf("/");
    this.service = path.slice(1, slash);
    this.method = path.slice(slash + 1);
    this.type = type;
  }
}

/** Counters of all connections of a server. */
export class ServerStats {
  /** etcd_network_client_grpc_received_bytes_total. */
  receivedBytes = 0;
  /** etcd_network_client_grpc_sent_bytes_total. */
  sentBytes = 0;
  connections = 0;
  /** By full path. */
  readonly methods: ReadonlyMap<string, MethodStats>;

  constructor(methods: ReadonlyMap<string, MethodStats>) {
    this.methods = methods;
  }
}
