/** Tables as etcdctl draws them: a frame, names in capitals in the middle, cells on the right. */

/** `header` in etcdctl's own case; it is shown in capitals, `_` as a space. Ends with a newline. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const names = header.map((name) => name.replaceAll("_", " ").toUpperCase());
  const widths = names.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => lengthOf(row[column] ?? ""))),
  );
  const rule = `+${widths.map((width) => "-".repeat(width + 2)).join("+")}+`;
  const line = (cells: readonly string[], align: (text: string, width: number) => string): string =>
    `|${cells.map((cell, column) => ` ${align(cell, widths[column] as number)} `).join("|")}|`;
  const body = rows.map((row) => line(row, (text, width) => padStart(text, width)));
  return [rule, line(names, centred), rule, ...body, rule, ""].join("\n");
}

function padStart(text: string, width: number): string {
  return " ".repeat(width - lengthOf(text)) + text;
}

function centred(text: string, width: number): string {
  const left = Math.floor((width - text.length) / 2);
  return " ".repeat(left) + text + " ".repeat(width - text.length - left);
}

/** In characters, of which some take two units of a string. */
function lengthOf(text: string): number {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, "x").length;
}
