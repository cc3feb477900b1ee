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
