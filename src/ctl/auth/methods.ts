/** The calls of the Auth service that the commands make. Answers keep the bytes they came in. */
import type { ResponseHeader, UnaryMethod } from "../../client/index.ts";
import {
  AuthDisableRequestSchema,
  AuthEnableRequestSchema,
  AuthRoleAddRequestSchema,
  AuthRoleDeleteRequestSchema,
  AuthRoleGetRequestSchema,
  AuthRoleGetResponseSchema,
  AuthRoleGrantPermissionRequestSchema,
  AuthRoleListRequestSchema,
  AuthRoleListResponseSchema,
  AuthRoleRevokePermissionRequestSchema,
  AuthStatusRequestSchema,
  AuthStatusResponseSchema,
  AuthUserAddRequestSchema,
  AuthUserChangePasswordRequestSchema,
  AuthUserDeleteRequestSchema,
  AuthUserGetRequestSchema,
  AuthUserGetResponseSchema,
  AuthUserGrantRoleRequestSchema,
  AuthUserListRequestSchema,
  AuthUserListResponseSchema,
  AuthUserRevokeRoleRequestSchema,
  decodeHeaderOf,
  decodeMessage,
  encodeMessage,
} from "../../wire/index.ts";

export interface Answer {
  readonly header: ResponseHeader;
  readonly bytes: Buffer;
}

export interface Permission {
  /** 0 = read, 1 = write, 2 = both. */
  readonly type: number;
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
}

export interface NamesAnswer extends Answer {
  readonly names: readonly string[];
}

export interface RoleAnswer extends Answer {
  readonly permissions: readonly Permission[];
}

export interface StatusAnswer extends Answer {
  readonly enabled: boolean;
  readonly authRevision: bigint;
}

interface Named {
  readonly name: string;
}

interface Granted {
  readonly user: string;
  readonly role: string;
}

interface Password extends Named {
  readonly password: string;
}

export interface KeyRange {
  readonly role: string;
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
}

function read<Q, R extends object>(
  name: string,
  encode: (request: Q) => Buffer,
  decode: (bytes: Buffer) => R,
): UnaryMethod<Q, R & Answer> {
  return {
    path: `/etcdserverpb.Auth/${name}`,
    repeat: "read",
    encode,
    decode: (bytes) => ({ header: decodeHeaderOf(bytes), bytes, ...decode(bytes) }),
  };
}

function write<Q>(name: string, encode: (request: Q) => Buffer): UnaryMethod<Q, Answer> {
  return { ...read(name, encode, () => ({})), repeat: "write" };
}

export const AUTH = {
  enable: write("AuthEnable", () => encodeMessage(AuthEnableRequestSchema, {})),
  disable: write("AuthDisable", () => encodeMessage(AuthDisableRequestSchema, {})),
  status: read(
    "AuthStatus",
    () => encodeMessage(AuthStatusRequestSchema, {}),
    (bytes) => {
      const { enabled, authRevision } = decodeMessage(AuthStatusResponseSchema, bytes);
      return { enabled, authRevision };
    },
  ),
  userAdd: write("UserAdd", (request: Password & { readonly noPassword: boolean }) => {
    const { name, password, noPassword } = request;
    return encodeMessage(AuthUserAddRequestSchema, { name, password, options: { noPassword } });
  }),
  userDelete: write("UserDelete", (request: Named) =>
    encodeMessage(AuthUserDeleteRequestSchema, request),
  ),
  userGet: read(
    "UserGet",
    (request: Named) => encodeMessage(AuthUserGetRequestSchema, request),
    (bytes) => ({ names: decodeMessage(AuthUserGetResponseSchema, bytes).roles }),
  ),
  userList: read(
    "UserList",
    () => encodeMessage(AuthUserListRequestSchema, {}),
    (bytes) => ({ names: decodeMessage(AuthUserListResponseSchema, bytes).users }),
  ),
  userPassword: write("UserChangePassword", (request: Password) =>
    encodeMessage(AuthUserChangePasswordRequestSchema, request),
  ),
  userGrant: write("UserGrantRole", (request: Granted) =>
    encodeMessage(AuthUserGrantRoleRequestSchema, request),
  ),
  userRevoke: write("UserRevokeRole", ({ user, role }: Granted) =>
    encodeMessage(AuthUserRevokeRoleRequestSchema, { name: user, role }),
  ),
  roleAdd: write("RoleAdd", (request: Named) => encodeMessage(AuthRoleAddRequestSchema, request)),
  roleDelete: write("RoleDelete", ({ name }: Named) =>
    encodeMessage(AuthRoleDeleteRequestSchema, { role: name }),
  ),
  roleGet: read(
    "RoleGet",
    ({ name }: Named) => encodeMessage(AuthRoleGetRequestSchema, { role: name }),
    (bytes) => ({
      permissions: decodeMessage(AuthRoleGetResponseSchema, bytes).perm.map((one) => ({
        type: one.permType as number,
        key: Buffer.from(one.key),
        rangeEnd: Buffer.from(one.rangeEnd),
      })),
    }),
  ),
  roleList: read(
    "RoleList",
    () => encodeMessage(AuthRoleListRequestSchema, {}),
    (bytes) => ({ names: decodeMessage(AuthRoleListResponseSchema, bytes).roles }),
  ),
  roleGrant: write("RoleGrantPermission", (request: KeyRange & { readonly type: 0 | 1 | 2 }) => {
    const { role, type, key, rangeEnd } = request;
    const perm = { permType: type, key, rangeEnd };
    return encodeMessage(AuthRoleGrantPermissionRequestSchema, { name: role, perm });
  }),
  roleRevoke: write("RoleRevokePermission", (request: KeyRange) =>
    encodeMessage(AuthRoleRevokePermissionRequestSchema, request),
  ),
} as const;
