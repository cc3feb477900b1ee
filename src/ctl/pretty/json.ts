/** JSON with its parts on lines of their own. Numbers stay as they are written, however long. */
import type { Paint } from "./paint.ts";

const TOKEN = /"(?:[^"\\]|\\.)*"|[-+.\w]+|[{}[\],:]/g;

/** Undefined when `text` is no JSON object or array. */
export function prettyJson(text: string, paint: Paint): string | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined;
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  return indent(text.match(TOKEN) ?? [], paint);
}

function indent(tokens: readonly string[], paint: Paint): string {
  let out = "";
  let depth = 0;
  const line = (): string => `\n${"  ".repeat(depth)}`;
  tokens.forEach((token, at) => {
    const next = tokens[at + 1];
    if (token === "{" || token === "[") {
      out += token;
      const isEmpty = next === "}" || next === "]";
      depth += 1;
      if (!isEmpty) out += line();
    } else if (token === "}" || token === "]") {
      depth -= 1;
      const before = tokens[at - 1];
      out += before === "{" || before === "[" ? token : line() + token;
    } else if (token === ",") out += token + line();
    else if (token === ":") out += ": ";
    else out += coloured(token, next === ":", paint);
  });
  return out;
}

function coloured(token: string, isName: boolean, paint: Paint): string {
  if (isName) return paint("name", token);
  return paint(token.startsWith('"') ? "text" : "number", token);
}
