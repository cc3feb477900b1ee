/** Maintenance.Downgrade (MA-09): to the minor version before, and back. */
import type { ApplyResponse } from "../apply/index.ts";
import { EtcdError, errors } from "../errors/index.ts";
import type { ServerStream } from "../grpc/index.ts";
import { checkDowngrade, parseDowngradeTarget, type Waiter } from "../member/index.ts";
import {
  decodeMessage,
  DowngradeRequestSchema,
  DowngradeResponseSchema,
  encodeMessage,
} from "../wire/index.ts";
import { attempt, coldHeader, failCall, type RpcContext } from "./context.ts";

const VALIDATE = 0;
const ENABLE = 1;
const CANCEL = 2;

export function downgrade(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const { action, version } = decodeMessage(DowngradeRequestSchema, bytes);
  switch (action as number) {
    case VALIDATE:
      return validated(context, call, version, () => respond(context, call));
    case ENABLE:
      return validated(context, call, version, (target) => enable(context, call, target));
    case CANCEL:
      return cancel(context, call);
    default:
      return failCall(call, errors.UnknownMethod);
  }
}

/** Looks at the newest state of the cluster, so that of two requests at once one is refused. */
function validated(
  context: RpcContext,
  call: ServerStream,
  version: string,
  proceed: (target: string) => void,
): void {
  const { member } = context;
  const target = parseDowngradeTarget(version);
  if (target instanceof EtcdError) return failCall(call, target);
  member.readIndex({
    done: () =>
      attempt(context, call, () => {
        const refusal = checkDowngrade(target, member.clusterVersion, member.downgrade);
        if (refusal !== undefined) failCall(call, refusal);
        else proceed(target);
      }),
    refused: (error) => failCall(call, error),
  });
}

function enable(context: RpcContext, call: ServerStream, target: string): void {
  const { member, logger } = context;
  logger.info("starting downgrade", { "target-version": target });
  const waiter: Waiter<ApplyResponse> = {
    done: () => attempt(context, call, () => respond(context, call)),
    refused: (error) => failCall(call, error),
  };
  member.propose({ kind: "downgradeInfoSet", enabled: true, version: target }, waiter);
}

/** Answers OK whatever comes of it, as etcd does; the log says when there was nothing to do. */
function cancel(context: RpcContext, call: ServerStream): void {
  const { member, logger } = context;
  const respondAnyway = () => attempt(context, call, () => respond(context, call));
  const failed = (error: EtcdError) => {
    logger.warn("the downgrade was not cancelled", { error: error.message });
    respondAnyway();
  };
  member.readIndex({
    done: () => {
      if (!member.downgrade.enabled) return failed(errors.NoInflightDowngrade);
      const operation = { kind: "downgradeInfoSet", enabled: false, version: "" } as const;
      member.propose(operation, { done: respondAnyway, refused: failed });
    },
    refused: failed,
  });
}

function respond(context: RpcContext, call: ServerStream): void {
  const version = (context.member.clusterVersion ?? "").split(".").slice(0, 2).join(".");
  call.respond(encodeMessage(DowngradeResponseSchema, { header: coldHeader(context), version }));
}
