/** Completion scripts for shells, made from the commands themselves (UT-07). */
import type { Command } from "commander";
import { Exit, UtlError } from "./io.ts";

export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;

/** "" and what can follow it, "snapshot" and what can follow that, and so on. */
type Words = ReadonlyMap<string, readonly string[]>;

/** Throws UtlError for a shell that is not known. */
export function completionOf(program: Command, shell: string): string {
  const words = wordsOf(program, "", []);
  switch (shell) {
    case "bash":
      return bash(words);
    case "zsh":
      return `#compdef etcdutl\nautoload -U +X bashcompinit && bashcompinit\n${bash(words)}`;
    case "fish":
      return fish(words);
    case "powershell":
      return powershell(words);
    default:
      throw new UtlError(`unknown shell "${shell}": one of ${SHELLS.join(", ")}`, Exit.BAD_ARGS);
  }
}

function wordsOf(
  command: Command,
  path: string,
  inherited: readonly string[],
): Map<string, readonly string[]> {
  const flags = [...inherited, ...command.options.map(({ long, short }) => long ?? short ?? "")];
  const visible = command.createHelp().visibleCommands(command);
  const found = new Map<string, readonly string[]>([
    [path, [...visible.map((child) => child.name()), ...flags, "--help"]],
  ]);
  for (const child of visible) {
    for (const entry of wordsOf(child, `${path} ${child.name()}`.trim(), flags)) {
      found.set(...entry);
    }
  }
  return found;
}

function bash(words: Words): string {
  const cases = [...words].map(([path, next]) => `    "${path}") words="${next.join(" ")}" ;;`);
  return `# bash completion for etcdutl
_etcdutl() {
  local current path word words
  current="\${COMP_WORDS[COMP_CWORD]}"
  path=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  words=""
  case "$path" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F _etcdutl etcdutl
`;
}

function fish(words: Words): string {
  const lines = [...words].flatMap(([path, next]) => {
    const seen = path === "" ? "__fish_use_subcommand" : `__fish_seen_subcommand_from ${path}`;
    return next.map((word) => {
      const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-a ${word}`;
      return `complete -c etcdutl -n '${seen}' ${what}`;
    });
  });
  return `# fish completion for etcdutl\n${lines.join("\n")}\n`;
}

function powershell(words: Words): string {
  const cases = [...words].map(
    ([path, next]) => `    '${path}' { @(${next.map((word) => `'${word}'`).join(", ")}) }`,
  );
  return `# powershell completion for etcdutl
Register-ArgumentCompleter -Native -CommandName etcdutl -ScriptBlock {
  param($word, $line, $position)
  $path = ($line.CommandElements | Select-Object -Skip 1 |
    Where-Object { "$_" -notlike '-*' -and "$_" -ne $word }) -join ' '
  $words = switch ($path) {
${cases.join("\n")}
    default { @() }
  }
  $words | Where-Object { $_ -like "$word*" }
}
`;
}
