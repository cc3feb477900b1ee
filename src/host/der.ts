/**
 * The little of ASN.1 DER (X.690) that certificates and revocation lists need.
 *
 * Writing builds nested buffers; reading walks a buffer that an operator gave us, so every length
 * is checked and a malformed one throws DerError.
 */
export const DerTag = {
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_IDENTIFIER: 0x06,
  UTF8_STRING: 0x0c,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

export class DerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DerError";
  }
}

/** Tag, length and the joined content. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length: number[] = [];
  for (let rest = body.length; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest % 256);
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length, ...length]), body]);
}

export function derSequence(...content: readonly Uint8Array[]): Buffer {
  return der(DerTag.SEQUENCE, ...content);
}

/** A positive INTEGER from big-endian bytes. */
export function derPositive(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from += 1;
  const digits = bytes.subarray(from);
  const needsSign = ((digits[0] ?? 0) & 0x80) !== 0;
  return der(DerTag.INTEGER, needsSign ? Buffer.of(0) : Buffer.alloc(0), digits);
}

/** "1.2.840.10045.4.3.2" */
export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let high = arc >>> 7; high > 0; high >>>= 7) digits.unshift((high & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(DerTag.OBJECT_IDENTIFIER, Buffer.from(bytes));
}

/** UTCTime until 2049, GeneralizedTime after, as RFC 5280 section 4.1.2.5 wants. */
export function derTime(when: Date): Buffer {
  const digits = when.toISOString().replace(/[-:T]/g, "").slice(0, 14);
  const isUtc = when.getUTCFullYear() < 2050;
  const tag = isUtc ? DerTag.UTC_TIME : DerTag.GENERALIZED_TIME;
  return der(tag, Buffer.from(`${isUtc ? digits.slice(2) : digits}Z`, "latin1"));
}

export interface DerElement {
  readonly tag: number;
  /** A view of the parsed buffer. */
  readonly content: Buffer;
}

/** The elements that stand one after the other in `bytes`. Throws DerError. */
export function readDer(bytes: Buffer): DerElement[] {
  const elements: DerElement[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const tag = bytes[offset] as number;
    let length = bytes[offset + 1] ?? -1;
    offset += 2;
    if (length > 0x80 && length <= 0x84) {
      const count = length - 0x80;
      if (offset + count > bytes.length) throw new DerError(`length cut off at ${offset}`);
      length = bytes.readUIntBE(offset, count);
      offset += count;
    } else if (length < 0 || length >= 0x80) {
      throw new DerError(`length not supported at ${offset - 1}`);
    }
    if (offset + length > bytes.length) throw new DerError(`content cut off at ${offset}`);
    elements.push({ tag, content: bytes.subarray(offset, offset + length) });
    offset += length;
  }
  return elements;
}

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----/g;

/** Contents of the PEM blocks labelled `label`. */
export function readPem(text: string, label: string): Buffer[] {
  const blocks: Buffer[] = [];
  for (const match of text.matchAll(PEM_BLOCK)) {
    if (match[1] === label) blocks.push(Buffer.from(match[2] as string, "base64"));
  }
  return blocks;
}

export function writePem(bytes: Buffer, label: string): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
