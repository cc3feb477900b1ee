import type { PeerInfo } from "./net.ts";

/** One plain HTTP request, whole: the same for HTTP/1.1 and HTTP/2. */
export interface HttpRequest {
  readonly method: string;
  /** Decoded from the target, without the query: "/health". */
  readonly path: string;
  readonly query: URLSearchParams;
  /** By lower-case name; repeated ones joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  /** Belongs to the receiver. */
  readonly body: Buffer;
  readonly peer: PeerInfo;
}

export interface HttpResponse {
  readonly status: number;
  /** Without content-length, which the transport sets. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string;
}

/** A rejection is answered with 500. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;
