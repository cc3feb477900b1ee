/** Text as etcd's tools print it. */

/** A frame around a header and rows; numbers stand on the right, as the tools have them. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const rule = `+${widths.map((width) => "-".repeat(width + 2)).join("+")}+`;
  const line = (cells: readonly string[], align: (text: string, width: number) => string): string =>
    `|${cells.map((cell, column) => ` ${align(cell, widths[column] as number)} `).join("|")}|`;
  return [
    rule,
    line(header, centred),
    rule,
    ...rows.map((row) => line(row, (text, width) => text.padStart(width))),
    rule,
    "",
  ].join("\n");
}

function centred(text: string, width: number): string {
  const left = Math.floor((width - text.length) / 2);
  return " ".repeat(left) + text + " ".repeat(width - text.length - left);
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/** Powers of 1000; one decimal below ten. */
export function humanBytes(count: number): string {
  if (count < 10) return `${count} B`;
  const exponent = Math.min(Math.floor(Math.log10(count) / 3), UNITS.length - 1);
  const value = Math.floor((count / 1000 ** exponent) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : roundToEven(value)} ${UNITS[exponent]}`;
}

/** As Go prints a float without decimals: of two whole numbers as near, the even one. */
function roundToEven(value: number): number {
  const lower = Math.floor(value);
  if (value - lower !== 0.5) return Math.round(value);
  return lower % 2 === 0 ? lower : lower + 1;
}
