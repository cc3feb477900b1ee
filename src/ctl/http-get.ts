/** GET over HTTP/1.1 with a bound, told in Go's words when it fails. */
import type { IncomingMessage } from "node:http";
import type { TlsOptions } from "../client/index.ts";

/** Pages are small; whoever sends more is no member. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;

export interface HttpGetOptions {
  readonly tls: TlsOptions | undefined;
  /** From the call to the last byte. */
  readonly timeoutMs: number;
}

export interface HttpPage {
  readonly status: number;
  readonly body: string;
}

/** Why a page could not be had: `dial tcp 127.0.0.1:2379: connect: connection refused`. */
export class HttpGetError extends Error {
  /** The system's name for it, as ECONNREFUSED; ETIMEDOUT where the bound was reached. */
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.name = "HttpGetError";
    this.code = code;
  }
}

/** Resolves with any answer, whatever its status. Rejects with HttpGetError. */
export function httpGet(url: string, { tls, timeoutMs }: HttpGetOptions): Promise<HttpPage> {
  let target: URL;
  try {
    target = new URL(url);
  } catch {
    return Promise.reject(new HttpGetError(`parse "${url}": not a URL`, "ERR_INVALID_URL"));
  }
  const isTls = target.protocol === "https:";
  return new Promise((resolve, reject) => {
    const options = { agent: false, ...(isTls && tlsOptions(tls)) };
    // Not by an import, which would load all of fetch with it (decision 0031).
    const { request } = process.getBuiltinModule(isTls ? "node:https" : "node:http");
    const call = request(target, options);
    const fail = (error: Error & { code?: string }): void => {
      clearTimeout(limit);
      call.destroy();
      reject(new HttpGetError(goText(target, error), error.code ?? ""));
    };
    const limit = setTimeout(() => fail(new TimedOut()), timeoutMs);
    call.on("error", fail);
    call.on("response", (response) => {
      readBody(response).then((body) => {
        clearTimeout(limit);
        resolve({ status: response.statusCode ?? 0, body });
      }, fail);
    });
    call.end();
  });
}

class TimedOut extends Error {
  readonly code = "ETIMEDOUT";

  constructor() {
    super("context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
  }
}

function tlsOptions(tls: TlsOptions | undefined): object {
  const { ca, cert, key, insecureSkipVerify } = tls ?? {};
  return { ca, cert, key, rejectUnauthorized: insecureSkipVerify !== true };
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_BYTES_MAX) throw new Error(`more than ${BODY_BYTES_MAX} bytes came`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

const CALLS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
};

function goText({ hostname, port, protocol }: URL, error: Error & { code?: string }): string {
  const address = `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
  return goDialText(address, error.code ?? "") ?? `${error.message}`;
}

/** What Go says when it cannot connect; undefined for anything else. */
export function goDialText(address: string, code: string): string | undefined {
  const call = CALLS[code];
  if (call !== undefined) return `dial tcp ${address}: ${call}`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return `dial tcp: lookup ${address.replace(/:\d+$/, "")}: no such host`;
  }
  return code === "ECONNRESET" ? "EOF" : undefined;
}
