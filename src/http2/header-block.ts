/**
 * Header fields and lists as they come out of HPACK.
 *
 * Fields live in the decoder's tables and are shared by every block that refers to them, and whole
 * blocks are shared by every stream whose block had the same bytes. So all of it is immutable, but
 * for two slots in which the layer above keeps what it derived: `HeaderField.tag` and
 * `HeaderBlock.context`.
 */

/** What a field's name means to HTTP/2. Pseudo-header fields come before all others. */
export const FieldKind = {
  REGULAR: 0,
  METHOD: 1,
  SCHEME: 2,
  AUTHORITY: 3,
  PATH: 4,
  STATUS: 5,
  /** A name or value that makes the message malformed (RFC 9113 8.2.1, 8.2.2, 8.3). */
  INVALID: 6,
  CONTENT_LENGTH: 7,
} as const;

export class HeaderField {
  /** Lower case, ASCII. */
  readonly name: string;
  /** One byte a character. */
  readonly value: string;
  /** RFC 7541 4.1. */
  readonly sizeBytes: number;
  readonly kind: number;
  /** For the layer above: 0 until it has classified the field. */
  tag = 0;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
    this.sizeBytes = name.length + value.length + 32;
    this.kind = kindOf(name, value);
  }
}

export class HeaderBlock {
  readonly fields: readonly HeaderField[];
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly scheme: string | undefined;
  readonly authority: string | undefined;
  /** Of a response; 0 in a request or trailers. */
  readonly status: number;
  /** -1 when absent. */
  readonly contentLength: number;
  /** Why the message is malformed. */
  readonly fault: string | undefined;
  /** The list was larger than allowed and is not whole. */
  readonly isTooLarge: boolean;
  /** For the layer above: what it derived from this block. */
  context: unknown = undefined;

  constructor(fields: readonly HeaderField[], isTooLarge: boolean) {
    const pseudo: (string | undefined)[] = [];
    let fault: string | undefined;
    let contentLength = -1;
    let hasRegular = false;
    for (const field of fields) {
      const kind = field.kind;
      if (kind === FieldKind.REGULAR) {
        hasRegular = true;
      } else if (kind === FieldKind.INVALID) {
        fault ??= `malformed header field ${JSON.stringify(field.name)}`;
      } else if (kind === FieldKind.CONTENT_LENGTH) {
        hasRegular = true;
        const length = Number(field.value);
        if (contentLength !== -1 && contentLength !== length) fault ??= "two content-lengths";
        contentLength = length;
      } else {
        if (hasRegular) fault ??= `${field.name} after a regular header field`;
        if (pseudo[kind] !== undefined) fault ??= `${field.name} given twice`;
        pseudo[kind] = field.value;
      }
    }
    this.fields = fields;
    this.method = pseudo[FieldKind.METHOD];
    this.path = pseudo[FieldKind.PATH];
    this.scheme = pseudo[FieldKind.SCHEME];
    this.authority = pseudo[FieldKind.AUTHORITY];
    const status = pseudo[FieldKind.STATUS];
    this.status = status === undefined ? 0 : Number(status);
    this.contentLength = contentLength;
    this.fault = fault;
    this.isTooLarge = isTooLarge;
  }

  /** First value of a regular field, by lower-case name. */
  get(name: string): string | undefined {
    for (const field of this.fields) if (field.name === name) return field.value;
    return undefined;
  }

  /** Why this cannot open a request (RFC 9113 8.3.1). */
  requestFault(): string | undefined {
    if (this.fault !== undefined) return this.fault;
    if (this.status !== 0) return ":status in a request";
    if (this.method === undefined) return ":method is missing";
    if (this.method === "CONNECT") {
      return this.authority === undefined ? ":authority is missing" : undefined;
    }
    if (this.scheme === undefined) return ":scheme is missing";
    if (this.path === undefined || this.path === "") return ":path is missing";
    if (this.path[0] !== "/" && this.path !== "*") return ":path is not absolute";
    return undefined;
  }

  responseFault(): string | undefined {
    if (this.fault !== undefined) return this.fault;
    if (this.method ?? this.path ?? this.scheme ?? this.authority) {
      return "a request's pseudo-header field in a response";
    }
    return this.status === 0 ? ":status is missing" : undefined;
  }

  trailersFault(): string | undefined {
    if (this.fault !== undefined) return this.fault;
    return this.fields.length > 0 && this.fields[0]?.name[0] === ":"
      ? "a pseudo-header field in trailers"
      : undefined;
  }
}

const PSEUDO: ReadonlyMap<string, number> = new Map([
  [":method", FieldKind.METHOD],
  [":scheme", FieldKind.SCHEME],
  [":authority", FieldKind.AUTHORITY],
  [":path", FieldKind.PATH],
  [":status", FieldKind.STATUS],
]);

/** Fields that speak of one HTTP/1 connection (RFC 9113 8.2.2). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

// RFC 9110 5.6.2 "token", without upper case.
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are refused by RFC 9113
// 8.2.1.
const BAD_VALUE = /[\0\r\n]|^[\t ]|[\t ]$/;

function kindOf(name: string, value: string): number {
  if (BAD_VALUE.test(value)) return FieldKind.INVALID;
  if (name.charCodeAt(0) === 0x3a) {
    const kind = PSEUDO.get(name) ?? FieldKind.INVALID;
    if (kind === FieldKind.STATUS && !/^[1-9][0-9][0-9]$/.test(value)) return FieldKind.INVALID;
    return kind;
  }
  if (!NAME.test(name) || CONNECTION_FIELDS.has(name)) return FieldKind.INVALID;
  if (name === "te") return value === "trailers" ? FieldKind.REGULAR : FieldKind.INVALID;
  if (name === "content-length") {
    return /^[0-9]{1,15}$/.test(value) ? FieldKind.CONTENT_LENGTH : FieldKind.INVALID;
  }
  return FieldKind.REGULAR;
}
