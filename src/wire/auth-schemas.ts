/** Tables of the Auth service's messages; names and numbers are those of proto/. */
import { ResponseHeaderSchema } from "./header-schema.ts";
import { message } from "./schema.ts";

export const AuthDisableRequestSchema = message("etcdserverpb.AuthDisableRequest", {});

export const AuthEnableRequestSchema = message("etcdserverpb.AuthEnableRequest", {});

export const AuthRoleAddRequestSchema = message("etcdserverpb.AuthRoleAddRequest", {
  name: [1, "string"],
});

export const AuthRoleDeleteRequestSchema = message("etcdserverpb.AuthRoleDeleteRequest", {
  role: [1, "string"],
});

export const AuthRoleGetRequestSchema = message("etcdserverpb.AuthRoleGetRequest", {
  role: [1, "string"],
});

const PermissionSchema = message("authpb.Permission", {
  permType: [1, "enum"],
  key: [2, "bytes"],
  rangeEnd: [3, "bytes"],
});

export const AuthRoleGetResponseSchema = message("etcdserverpb.AuthRoleGetResponse", {
  header: [1, ResponseHeaderSchema],
  perm: [2, PermissionSchema, "list"],
});

export const AuthRoleGrantPermissionRequestSchema = message(
  "etcdserverpb.AuthRoleGrantPermissionRequest",
  {
    name: [1, "string"],
    perm: [2, PermissionSchema],
  },
);

export const AuthRoleListRequestSchema = message("etcdserverpb.AuthRoleListRequest", {});

export const AuthRoleListResponseSchema = message("etcdserverpb.AuthRoleListResponse", {
  header: [1, ResponseHeaderSchema],
  roles: [2, "string", "list"],
});

export const AuthRoleRevokePermissionRequestSchema = message(
  "etcdserverpb.AuthRoleRevokePermissionRequest",
  {
    role: [1, "string"],
    key: [2, "bytes"],
    rangeEnd: [3, "bytes"],
  },
);

export const AuthStatusRequestSchema = message("etcdserverpb.AuthStatusRequest", {});

export const AuthStatusResponseSchema = message("etcdserverpb.AuthStatusResponse", {
  header: [1, ResponseHeaderSchema],
  enabled: [2, "bool"],
  authRevision: [3, "uint64"],
});

const UserAddOptionsSchema = message("authpb.UserAddOptions", {
  noPassword: [1, "bool"],
});

export const AuthUserAddRequestSchema = message("etcdserverpb.AuthUserAddRequest", {
  name: [1, "string"],
  password: [2, "string"],
  options: [3, UserAddOptionsSchema],
  hashedPassword: [4, "string"],
});

export const AuthUserChangePasswordRequestSchema = message(
  "etcdserverpb.AuthUserChangePasswordRequest",
  {
    name: [1, "string"],
    password: [2, "string"],
    hashedPassword: [3, "string"],
  },
);

export const AuthUserDeleteRequestSchema = message("etcdserverpb.AuthUserDeleteRequest", {
  name: [1, "string"],
});

export const AuthUserGetRequestSchema = message("etcdserverpb.AuthUserGetRequest", {
  name: [1, "string"],
});

export const AuthUserGetResponseSchema = message("etcdserverpb.AuthUserGetResponse", {
  header: [1, ResponseHeaderSchema],
  roles: [2, "string", "list"],
});

export const AuthUserGrantRoleRequestSchema = message("etcdserverpb.AuthUserGrantRoleRequest", {
  user: [1, "string"],
  role: [2, "string"],
});

export const AuthUserListRequestSchema = message("etcdserverpb.AuthUserListRequest", {});

export const AuthUserListResponseSchema = message("etcdserverpb.AuthUserListResponse", {
  header: [1, ResponseHeaderSchema],
  users: [2, "string", "list"],
});

export const AuthUserRevokeRoleRequestSchema = message("etcdserverpb.AuthUserRevokeRoleRequest", {
  name: [1, "string"],
  role: [2, "string"],
});

export const AuthenticateRequestSchema = message("etcdserverpb.AuthenticateRequest", {
  name: [1, "string"],
  password: [2, "string"],
});

export const AuthenticateResponseSchema = message("etcdserverpb.AuthenticateResponse", {
  header: [1, ResponseHeaderSchema],
  token: [2, "string"],
});
