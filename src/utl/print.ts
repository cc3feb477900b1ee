/** One result in the formats of etcdutl (UT-00). */
import { Exit, UtlError } from "./io.ts";
import { table } from "./table.ts";

/** A field of a result, under the names that the formats have for it. */
export interface Field {
  /** Of `json`. */
  readonly key: string;
  /** Of `fields`. */
  readonly label: string;
  /** Of `table`. */
  readonly column: string;
  readonly value: string | number;
  /** In `simple` and `table`, where it is not the value itself. */
  readonly shown?: string;
}

export type Printer = (fields: readonly Field[]) => string;

/** Throws UtlError for a format that is none. */
export function printerOf(format: string): Printer {
  switch (format) {
    case "simple":
      return (fields) => `${fields.map(shownOf).join(", ")}\n`;
    case "json":
      return (fields) =>
        `${JSON.stringify(Object.fromEntries(fields.map(({ key, value }) => [key, value])))}\n`;
    case "fields":
      return (fields) => fields.map(({ label, value }) => `"${label}" : ${value}\n`).join("");
    case "table":
      return (fields) =>
        table(
          fields.map(({ column }) => column),
          [fields.map(shownOf)],
        );
    case "protobuf":
      throw new UtlError("protobuf not supported as output format", Exit.BAD_FEATURE);
    default:
      throw new UtlError("unsupported output format", Exit.BAD_FEATURE);
  }
}

function shownOf({ shown, value }: Field): string {
  return shown ?? String(value);
}
