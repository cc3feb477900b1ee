/**
 * A source file as the house rules see it: its text, its code without comments and literals, and
 * what it imports. A scanner of some eighty lines is enough; the compiler checks the grammar.
 */

export interface Import {
  /** As written: "../wire/index.ts", "node:fs", "lmdb". */
  readonly specifier: string;
  readonly line: number;
  /** `import type`: gone when the program runs. */
  readonly isType: boolean;
}

export interface SourceFile {
  /** From the root, with slashes: "src/wire/index.ts". */
  readonly path: string;
  readonly text: string;
  /** `text` with comments blanked. */
  readonly uncommented: string;
  /** `text` with comments and the contents of literals blanked; the same length and lines. */
  readonly code: string;
  readonly imports: readonly Import[];
}

const REGEX_MAY_FOLLOW = /(?:^|[=(,:;[!&|?{}~^+\-*%<>]|\b(?:return|typeof|case|in|of))\s*$/;

type Span = { readonly end: number; readonly keepsContent: boolean };

/** Where the quoted literal that starts at `at` ends; a newline ends an unclosed one. */
function quotedEnd(text: string, at: number): number {
  const quote = text[at];
  let i = at + 1;
  while (i < text.length && text[i] !== quote) {
    if (text[i] === "\n" && quote !== "`") return i;
    i += text[i] === "\\" ? 2 : 1;
  }
  return Math.min(i + 1, text.length);
}

function regexEnd(text: string, at: number): number {
  let isInClass = false;
  for (let i = at + 1; i < text.length; i++) {
    const c = text[i];
    if (c === "\n") return at + 1;
    if (c === "\\") i++;
    else if (c === "[") isInClass = true;
    else if (c === "]") isInClass = false;
    else if (c === "/" && !isInClass) return i + 1;
  }
  return at + 1;
}

/** The comment or literal that starts at `at`, if one does. */
function spanAt(text: string, at: number): Span | undefined {
  const c = text[at];
  if (c === '"' || c === "'" || c === "`") {
    return { end: quotedEnd(text, at), keepsContent: true };
  }
  if (c !== "/") return undefined;
  if (text[at + 1] === "/") {
    const end = text.indexOf("\n", at);
    return { end: end < 0 ? text.length : end, keepsContent: false };
  }
  if (text[at + 1] === "*") {
    const end = text.indexOf("*/", at + 2);
    return { end: end < 0 ? text.length : end + 2, keepsContent: false };
  }
  const line = text.slice(text.lastIndexOf("\n", at - 1) + 1, at);
  if (!REGEX_MAY_FOLLOW.test(line)) return undefined;
  const end = regexEnd(text, at);
  return end > at + 1 ? { end, keepsContent: true } : undefined;
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

/** Blanks comments, and literals too unless `keepsLiterals`; template expressions go with them. */
function strip(text: string, keepsLiterals: boolean): string {
  let out = "";
  let from = 0;
  for (let i = 0; i < text.length; ) {
    const span = spanAt(text, i);
    if (span === undefined) {
      i++;
      continue;
    }
    out += text.slice(from, i);
    const literal = text.slice(i, span.end);
    out += span.keepsContent && keepsLiterals ? literal : blank(literal);
    from = span.end;
    i = span.end;
  }
  return out + text.slice(from);
}

const IMPORT =
  /(?:\b(?:import|export)\s+(type\s)?[^;"'`]*?\bfrom\s*|\bimport\s*\(\s*|\bimport\s*|\bnew\s+URL\s*\(\s*)(["'])([^"'\n]+)\2/g;

export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf("\n"); i >= 0 && i < offset; i = text.indexOf("\n", i + 1)) line++;
  return line;
}

export function parseSource(path: string, text: string): SourceFile {
  const uncommented = strip(text, true);
  const code = strip(text, false);
  const imports: Import[] = [];
  for (const match of uncommented.matchAll(IMPORT)) {
    const [all, type, , specifier = ""] = match;
    // A literal may hold words that look like an import.
    if (code[match.index] !== all[0]) continue;
    // new URL("./worker.ts", import.meta.url) names a file only when it is relative.
    if (all.startsWith("new") && !specifier.startsWith(".")) continue;
    const line = lineAt(text, match.index + all.length);
    imports.push({ specifier, line, isType: type !== undefined });
  }
  return { path, text, uncommented, code, imports };
}

/** The path that a relative specifier means, from the root. */
export function resolveImport(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
