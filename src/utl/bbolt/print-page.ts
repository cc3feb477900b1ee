/** A page of a bbolt file as text, as bbolt's own tool shows it. */
import { createHash } from "node:crypto";
import { quote, runeLength } from "../../base/index.ts";
import type { BboltPages, RawPage } from "../../snapshot/index.ts";
import { Exit, UtlError } from "../io.ts";

export const FORMATS = "auto|ascii-encoded|hex|bytes|redacted";
export type Formatter = (bytes: Buffer) => string | Buffer;

/** Throws UtlError for a format that is none. */
export function formatterOf(format: string): Formatter {
  switch (format) {
    case "auto":
      return (bytes) => (isPrintable(bytes) ? bytes.toString("utf8") : bytes.toString("hex"));
    case "ascii-encoded":
      return quote;
    case "hex":
      return (bytes) => bytes.toString("hex");
    case "bytes":
      return (bytes) => bytes;
    case "redacted":
      return (bytes) => {
        const digest = createHash("sha256").update(bytes).digest("hex");
        return `<redacted len:${bytes.length} sha256:${digest}>`;
      };
    default:
      throw new UtlError(`unsupported format "${format}": one of ${FORMATS}`, Exit.BAD_ARGS);
  }
}

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;

function isPrintable(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; ) {
    const length = runeLength(bytes, at);
    if (length === 0) return false;
    at += length;
  }
  return PRINTABLE.test(bytes.toString("utf8"));
}

function keyText(key: Buffer): string {
  return isPrintable(key) ? quote(key) : key.toString("hex");
}

/** Throws SnapshotCorrupt for a page whose positions lead out of it. */
export function pageText(pages: BboltPages, page: RawPage, formatter: Formatter): string {
  const type = pages.typeOf(page);
  const head = [
    `Page ID:    ${page.id}`,
    `Page Type:  ${typeText(pages, page)}`,
    `Total Size: ${page.bytes.length} bytes`,
    `Overflow pages: ${page.overflow}`,
  ];
  const lines: Record<typeof type, () => string[]> = {
    meta: () => [...metaLines(page.bytes), ""],
    leaf: () => [`Item Count: ${page.count}`, "", ...leafLines(pages, page, formatter), ""],
    branch: () => [`Item Count: ${page.count}`, "", ...branchLines(pages, page), ""],
    freelist: () => {
      const ids = pages.freeIdsOf(page);
      const count = [`Item Count: ${ids.length}`, `Overflow: ${page.overflow}`, ""];
      return [...count, ...ids.map(String), ""];
    },
    unknown: () => [],
  };
  return `${[...head, ...lines[type]()].join("\n")}\n`;
}

export function typeText(pages: BboltPages, page: RawPage): string {
  const type = pages.typeOf(page);
  return type === "unknown" ? `unknown<${page.flags.toString(16).padStart(2, "0")}>` : type;
}

/** Numbers as they stand, whatever they are. */
function metaLines(bytes: Buffer): string[] {
  const u64 = (at: number): bigint => bytes.readBigUInt64LE(at);
  return [
    `Version:    ${bytes.readUInt32LE(20)}`,
    `Page Size:  ${bytes.readUInt32LE(24)} bytes`,
    `Flags:      ${bytes.readUInt32LE(28).toString(16).padStart(8, "0")}`,
    `Root:       <pgid=${u64(32)}>`,
    `Freelist:   <pgid=${u64(48)}>`,
    `HWM:        <pgid=${u64(56)}>`,
    `Txn ID:     ${u64(64)}`,
    `Checksum:   ${u64(72).toString(16).padStart(16, "0")}`,
  ];
}

function leafLines(pages: BboltPages, page: RawPage, formatter: Formatter): string[] {
  return pages.rowsOf(page).map(({ key, value, isBucket }) => {
    const isHeader = isBucket && value.length >= 16;
    const shown = isHeader
      ? `<pgid=${value.readBigUInt64LE(0)},seq=${value.readBigUInt64LE(8)}>`
      : String(formatter(value));
    return `${keyText(key)}: ${shown}`;
  });
}

function branchLines(pages: BboltPages, page: RawPage): string[] {
  return pages.childrenOf(page).map(({ key, page: id }) => `${keyText(key)}: <pgid=${id}>`);
}
