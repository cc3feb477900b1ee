/** Operations of `txn`: get, put and del with the flags of the commands. */
import { op, type KeySpan, type Op } from "../../client/index.ts";
import { DEL_FLAGS, delRequest } from "../commands/del.ts";
import { GET_FLAGS, getRequest } from "../commands/get.ts";
import { PUT_FLAGS, putRequest, valueOfTxnPut } from "../commands/put.ts";
import { CtlError, Exit } from "../exit.ts";
import { FlagError, Flags, parseFlags } from "../flags.ts";
import type { FlagSpec } from "../command.ts";
import { argify, shown } from "./words.ts";

/**
 * `line` is a byte string. Throws CtlError in etcdctl's words; `explain` is told why flags could
 * not be read.
 */
export function parseOperation(line: string, explain: (why: string) => void): Op {
  const [name = "", ...words] = argify(line);
  if (words.length === 0) throw invalid(`invalid txn compare request: ${shown(line)}`);
  const build = OPERATIONS[name];
  if (build === undefined) throw invalid(`invalid txn request: ${shown(line)}`);
  const flags = new Flags(build.flags);
  try {
    const { args } = parseFlags(words, flags);
    return build.make(args, flags);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    explain(error.message);
    throw invalid(`invalid txn request: ${shown(line)}`);
  }
}

interface Operation {
  readonly flags: readonly FlagSpec[];
  make(args: readonly string[], flags: Flags): Op;
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  get: {
    flags: GET_FLAGS,
    make: (args, flags) => {
      const { key, request } = getRequest(args, flags);
      return op.get(bytes(key), { ...request, ...spanBytes(request) });
    },
  },
  put: {
    flags: PUT_FLAGS,
    make: (args, flags) => {
      const request = putRequest(args, flags);
      return op.put(bytes(args[0] as string), bytes(valueOfTxnPut(args, request)), request);
    },
  },
  del: {
    flags: DEL_FLAGS,
    make: (args, flags) => {
      const { key, request } = delRequest(args, flags);
      return op.delete(bytes(key), { ...request, ...spanBytes(request) });
    },
  },
};

function bytes(word: string): Buffer {
  return Buffer.from(word, "latin1");
}

function spanBytes({ rangeEnd }: KeySpan): KeySpan {
  return typeof rangeEnd === "string" ? { rangeEnd: bytes(rangeEnd) } : {};
}

function invalid(message: string): CtlError {
  return new CtlError(message, Exit.INVALID_INPUT);
}
