/** Command lines that ask for a text alone; nothing else is loaded for them. */
import { readCommandLine } from "./command-line.ts";
import { ConfigError, UsageError } from "./config-error.ts";
import { helpText, versionText } from "./help.ts";
import { MINOR_VERSION_DEFAULT } from "./versions.ts";

/** Undefined when a member is wanted, or when `serve` has to say what is wrong. */
export function textFor(parts: readonly string[]): string | undefined {
  try {
    const { settings, isHelpWanted } = readCommandLine(parts);
    if (isHelpWanted) return helpText();
    if (settings.get("version") !== "true") return undefined;
    const compat = settings.get("compat");
    return versionText(compat === undefined ? MINOR_VERSION_DEFAULT : Number(compat.slice(2)));
  } catch (error) {
    if (error instanceof UsageError || error instanceof ConfigError) return undefined;
    throw error;
  }
}
