/** The command line of `utl bbolt` (UT-08). */
import type { Command } from "commander";
import { Exit, UtlError, type UtlIo } from "../io.ts";
import { FORMATS } from "./print-page.ts";

interface Given {
  readonly format?: string;
  readonly parseFormat?: string;
  readonly formatValue?: string;
  readonly all?: boolean;
}

const HEX = /^([0-9a-fA-F]{2})+$/;

/** `bbolt` is the command that the parts are added to. */
export function addBbolt(bbolt: Command, io: UtlIo): void {
  // What does the work is read only when it is asked for.
  const work = () => import("./commands.ts");
  const part = (name: string, description: string): Command =>
    bbolt.command(name).description(description).helpCommand(false);
  part("check <file>", "Verifies that every page is whole and belongs where it is").action(
    async (file: string) => (await work()).checkBbolt(file, io),
  );
  part("info <file>", "Prints the page size").action(async (file: string) =>
    (await work()).infoBbolt(file, io),
  );
  part("buckets <file>", "Lists the buckets").action(async (file: string) =>
    (await work()).bucketsBbolt(file, io),
  );
  part("stats <file> [prefix]", "Prints page and key counts, of the buckets with a prefix").action(
    async (file: string, prefix = "") => (await work()).statsBbolt(file, prefix, io),
  );
  part("keys <file> <bucket>", "Lists the keys of a bucket")
    .option("-f, --format <format>", FORMATS, "auto")
    .action(async (file: string, bucket: string, { format = "auto" }: Given) =>
      (await work()).keysBbolt(file, bucket, format, io),
    );
  part("get <file> <bucket> <key>", "Prints the value of a key")
    .option("--parse-format <format>", "how the key is written: ascii-encoded|hex", "ascii-encoded")
    .option("--format <format>", FORMATS, "auto")
    .action(async (file: string, bucket: string, text: string, given: Given) => {
      const key = keyOf(text, given.parseFormat);
      await (await work()).getBbolt(file, { bucket, key, format: given.format ?? "auto" }, io);
    });
  part("pages <file>", "Lists the pages with their types").action(async (file: string) =>
    (await work()).pagesBbolt(file, io),
  );
  part("page <file> [ids...]", "Shows pages as text")
    .option("--all", "all pages", false)
    .option("--format-value <format>", `values: ${FORMATS}`, "auto")
    .action(async (file: string, ids: string[], { all, formatValue = "auto" }: Given) => {
      if (all === ids.length > 0) throw new UtlError("give page ids, or --all", Exit.BAD_ARGS);
      await (await work()).pageBbolt(file, ids.map(pageIdOf), formatValue, io);
    });
}

function keyOf(text: string, format = "ascii-encoded"): Buffer {
  if (format === "ascii-encoded" && text !== "") return Buffer.from(text);
  if (format === "hex" && HEX.test(text)) return Buffer.from(text, "hex");
  throw new UtlError(
    `"${text}" is no key in format ${format}: ascii-encoded or hex`,
    Exit.BAD_ARGS,
  );
}

function pageIdOf(text: string): number {
  const id = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(id)) return id;
  throw new UtlError(`"${text}" is no page id: a number from 0`, Exit.BAD_ARGS);
}
