/** Bytes as text where they are text, else as a dump. */

const DUMP_BYTES_MAX = 4096;
const LINE_BYTES = 16;

/** Undefined when `bytes` are no UTF-8, or hold what a terminal would obey. */
export function readableText(bytes: Uint8Array): string | undefined {
  let text: string;
  try {
    text = new TextDecoder("utf8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
  return /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(text.replace(/[\t\n\r]/g, ""))
    ? undefined
    : text;
}

/** Offset, sixteen bytes and their letters a line. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  const hi = Math.min(bytes.length, DUMP_BYTES_MAX);
  for (let at = 0; at < hi; at += LINE_BYTES) {
    const part = Buffer.from(bytes.subarray(at, Math.min(at + LINE_BYTES, hi)));
    const hex = part
      .toString("hex")
      .replace(/../g, "$& ")
      .padEnd(LINE_BYTES * 3);
    const letters = part.toString("latin1").replace(/[^ -~]/g, ".");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex} ${letters}`);
  }
  if (bytes.length > hi) lines.push(`... and ${bytes.length - hi} bytes more`);
  return lines.join("\n");
}
