/**
 * Hand-written codecs against the generated ones: `node bench/micro/codecs.ts`.
 *
 * Targets (docs/decisions/0004-codecs.md): PutRequest decode 0.2 us, RangeResponse of one pair
 * encode 0.3 us, at a key of 8 and a value of 256 bytes.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { bench, do_not_optimize, group, run } from "mitata";
import { ByteWriter, latin1FromBytes, Prng } from "../../src/base/index.ts";
import {
  PutRequestSchema,
  RangeRequestSchema,
  RangeResponseSchema,
} from "../../test/contract/gen/etcdserverpb/kv_pb.ts";
import { InternalRaftRequestSchema } from "../../test/contract/gen/etcdserverpb/raft_internal_pb.ts";
import { WatchResponseSchema } from "../../test/contract/gen/etcdserverpb/watch_pb.ts";
import { EntrySchema } from "../../test/contract/gen/raftpb/raft_pb.ts";
import * as wire from "../../src/wire/index.ts";

const prng = new Prng(1);
const writer = new ByteWriter(64 * 1024);
const header = {
  clusterId: 0xcdf818194e3a8c32n,
  memberId: 0x8e9e05c52164694dn,
  revision: 1_000_000,
  raftTerm: 7,
};
const put = {
  key: latin1FromBytes(prng.bytes(8)),
  value: prng.bytes(256),
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
};
const pair = {
  key: put.key,
  createRevision: 900_000,
  modRevision: 1_000_000,
  version: 5,
  value: put.value,
  lease: 0n,
};
const encodedPair = wire.marshalKeyValue(pair);
const range = { ...wire.emptyRangeRequest(), key: put.key };
const request = {
  header: { memberPrefix: 0x8e9e, sequence: 2 ** 47 + 12_345, username: "", authRevision: 0 },
  operation: { kind: "put", put } as const,
};

const putBytes = wire.marshal(wire.encodePutRequest, put);
const rangeBytes = wire.marshal(wire.encodeRangeRequest, range);
const requestBytes = wire.marshalRaftRequest(request);
const entry = { type: 0, term: 7, index: 1_000_000, data: requestBytes };
const entryBytes = wire.marshal(wire.encodeEntry, entry);

group("PutRequest, decode", () => {
  bench("hand", () => do_not_optimize(wire.decodePutRequest(putBytes)));
  bench("generated", () => do_not_optimize(fromBinary(PutRequestSchema, putBytes)));
});

group("RangeRequest, decode", () => {
  bench("hand", () => do_not_optimize(wire.decodeRangeRequest(rangeBytes)));
  bench("generated", () => do_not_optimize(fromBinary(RangeRequestSchema, rangeBytes)));
});

for (const count of [1, 10]) {
  const kvs = Array.from({ length: count }, () => encodedPair);
  const pbPair = {
    key: Buffer.from(pair.key, "latin1"),
    createRevision: BigInt(pair.createRevision),
    modRevision: BigInt(pair.modRevision),
    version: BigInt(pair.version),
    value: pair.value,
  };
  const pbKvs = Array.from({ length: count }, () => pbPair);
  const response = { revision: header.revision, kvs, more: false, count };
  group(`RangeResponse of ${count}, encode`, () => {
    bench("hand", () => {
      writer.reset();
      wire.encodeRangeResponse(writer, header, response);
      do_not_optimize(writer.length);
    });
    bench("generated", () =>
      do_not_optimize(
        toBinary(
          RangeResponseSchema,
          create(RangeResponseSchema, {
            header: {
              clusterId: header.clusterId,
              memberId: header.memberId,
              revision: BigInt(header.revision),
              raftTerm: BigInt(header.raftTerm),
            },
            kvs: pbKvs,
            count: BigInt(count),
          }),
        ),
      ),
    );
  });
}

group("PutResponse, encode", () => {
  const response = { revision: header.revision, prevKv: undefined };
  bench("hand", () => {
    writer.reset();
    wire.encodePutResponse(writer, header, response);
    do_not_optimize(writer.length);
  });
});

group("KeyValue", () => {
  bench("marshal", () => do_not_optimize(wire.marshalKeyValue(pair)));
  bench("decode", () => do_not_optimize(wire.decodeKeyValue(encodedPair)));
  bench("mod revision", () => do_not_optimize(wire.keyValueModRevision(encodedPair)));
});

group("InternalRaftRequest of a put", () => {
  bench("hand, marshal", () => do_not_optimize(wire.marshalRaftRequest(request)));
  bench("hand, decode", () => do_not_optimize(wire.decodeRaftRequest(requestBytes)));
  bench("generated, encode", () =>
    do_not_optimize(
      toBinary(
        InternalRaftRequestSchema,
        create(InternalRaftRequestSchema, {
          header: { ID: 0x8e9e_8000_0000_3039n },
          put: { key: Buffer.from(put.key, "latin1"), value: put.value },
        }),
      ),
    ),
  );
  bench("generated, decode", () =>
    do_not_optimize(fromBinary(InternalRaftRequestSchema, requestBytes)),
  );
});

group("Entry", () => {
  bench("hand, encode", () => {
    writer.reset();
    wire.encodeEntry(writer, entry);
    do_not_optimize(writer.length);
  });
  bench("hand, decode", () => do_not_optimize(wire.decodeEntry(entryBytes)));
  bench("generated, decode", () => do_not_optimize(fromBinary(EntrySchema, entryBytes)));
});

group("WatchResponse of one event, to one more watcher", () => {
  const event = { type: "put", kv: encodedPair, prevKv: undefined } as const;
  const shared = wire.marshal(wire.encodeEvents, [event]);
  const pbEvents = [{ kv: { key: Buffer.from(pair.key, "latin1"), value: pair.value } }];
  let watchId = 0;
  const headerField = wire.marshal(wire.encodeHeaderField, header);
  bench("hand, head and shared events", () => {
    writer.reset();
    watchId = (watchId + 1) & 0x3fff;
    wire.encodeWatchResponseHead(writer, headerField, watchId, false);
    writer.raw(shared);
    do_not_optimize(writer.length);
  });
  bench("generated", () => {
    watchId = (watchId + 1) & 0x3fff;
    return do_not_optimize(
      toBinary(
        WatchResponseSchema,
        create(WatchResponseSchema, {
          header: { clusterId: header.clusterId, memberId: header.memberId },
          watchId: BigInt(watchId),
          events: pbEvents,
        }),
      ),
    );
  });
});

await run({ colors: false });
