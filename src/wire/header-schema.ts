import { message } from "./schema.ts";

/** The header of every answer, as the tables have it. */
export const ResponseHeaderSchema = message("etcdserverpb.ResponseHeader", {
  clusterId: [1, "uint64"],
  memberId: [2, "uint64"],
  revision: [3, "int64"],
  raftTerm: [4, "uint64"],
});
