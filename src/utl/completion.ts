/** Completion scripts for shells, made from the commands themselves (UT-07). */
import type { Command, Option } from "commander";
import { Exit, UtlError } from "./io.ts";

export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;

/** A command, or the beginning of commands: "" for the program, "snapshot", "snapshot status". */
interface Place {
  readonly path: string;
  readonly summary: string;
  /** What can follow: more of the name, and flags. */
  readonly parts: readonly string[];
  readonly flags: readonly Option[];
}

/** Throws UtlError for a shell that is not known. */
export function completionOf(program: Command, shell: string): string {
  const places = placesOf(program, "", []);
  switch (shell) {
    case "bash":
      return bash(places);
    case "zsh":
      return zsh(places);
    case "fish":
      return fish(places);
    case "powershell":
      return powershell(places);
    default:
      throw new UtlError(`unknown shell "${shell}": one of ${SHELLS.join(", ")}`, Exit.BAD_ARGS);
  }
}

function placesOf(command: Command, path: string, inherited: readonly Option[]): Place[] {
  const help = command.createHelp();
  const flags = [...inherited, ...command.options];
  const visible = help.visibleCommands(command);
  const parts = visible.map((child) => child.name());
  const below = visible.flatMap((child) =>
    placesOf(child, `${path} ${child.name()}`.trim(), flags),
  );
  return [{ path, summary: command.description(), parts, flags }, ...below];
}

function spellings(flags: readonly Option[]): string[] {
  return flags.flatMap(({ long, short }) =>
    [long, short].filter((name) => typeof name === "string"),
  );
}

/** Flags whose value is the next word. */
function valueFlags(places: readonly Place[]): string[] {
  const all = places.flatMap(({ flags }) => flags.filter(({ required }) => required));
  return [...new Set(spellings(all))];
}

function nextWords({ parts, flags }: Place): string[] {
  return [...parts, ...spellings(flags), "--help"];
}

/** Functions that bash and zsh understand. No variable may be called path: it is zsh's PATH. */
function functions(places: readonly Place[]): string {
  const cases = places.map(
    (place) => `    "${place.path}") echo "${nextWords(place).join(" ")}" ;;`,
  );
  return `_etcdutl_words() {
  case "$1" in
${cases.join("\n")}
    *) return 1 ;;
  esac
}
_etcdutl_takes() {
  case "$1" in
    ${valueFlags(places).join(" | ")}) return 0 ;;
  esac
  return 1
}
_etcdutl_step() {
  local longer="\${1:+$1 }$2"
  if _etcdutl_words "$longer" >/dev/null; then echo "$longer"; else echo "$1"; fi
}`;
}

function bash(places: readonly Place[]): string {
  return `# bash completion for etcdutl; load it with: source <(etcdutl completion bash)
${functions(places)}
_etcdutl() {
  local current="\${COMP_WORDS[COMP_CWORD]}" place="" skips="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ -n "$skips" ]; then
      [ "$word" = = ] || skips=""
      continue
    fi
    case "$word" in
      -*) if _etcdutl_takes "$word"; then skips=yes; fi ;;
      *) place=$(_etcdutl_step "$place" "$word") ;;
    esac
  done
  COMPREPLY=()
  if [ -z "$skips" ]; then
    COMPREPLY=($(compgen -W "$(_etcdutl_words "$place")" -- "$current"))
  fi
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F _etcdutl etcdutl
`;
}

function zsh(places: readonly Place[]): string {
  return `#compdef etcdutl
# zsh completion for etcdutl; load it with: source <(etcdutl completion zsh)
${functions(places)}
_etcdutl() {
  local place= skips= word i
  for (( i = 2; i < CURRENT; i++ )); do
    word=\${words[i]}
    if [[ -n $skips ]]; then skips=; continue; fi
    case $word in
      -*) if _etcdutl_takes "$word"; then skips=yes; fi ;;
      *) place=$(_etcdutl_step "$place" "$word") ;;
    esac
  done
  if [[ -z $skips ]]; then compadd -- $(_etcdutl_words "$place") && return; fi
  _files
}
compdef _etcdutl etcdutl
`;
}

function fish(places: readonly Place[]): string {
  const summaries = new Map(places.map(({ path, summary }) => [path, summary]));
  const lines = places.flatMap(({ path, parts, flags }) => {
    const at = `complete -c etcdutl -n '__etcdutl_at "${path}"'`;
    const words = parts.map((word) => {
      const says = summaries.get(`${path} ${word}`.trim()) ?? word;
      return `${at} -f -a ${word} -d ${quoted(says)}`;
    });
    const named = flags.map(({ long, short, required, description }) => {
      const letter = short === undefined ? "" : ` -s ${short.slice(1)}`;
      const name = `-l ${(long ?? "").slice(2)}${letter}${required ? " -r" : ""}`;
      return `${at} ${name} -d ${quoted(description)}`;
    });
    return [...words, ...named];
  });
  const paths = places.map(({ path }) => `"${path}"`);
  return `# fish completion for etcdutl; load it with: etcdutl completion fish | source
function __etcdutl_at
    set -l path
    set -l skips no
    for word in (commandline -opc)[2..-1]
        if test $skips = yes
            set skips no
            continue
        end
        switch $word
            case ${valueFlags(places).join(" ")}
                set skips yes
            case '-*'
            case '*'
                set -l longer (string join " " $path $word)
                if contains -- "$longer" ${paths.join(" ")}
                    set path $longer
                end
        end
    end
    test "$path" = "$argv[1]"
end
${lines.join("\n")}
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function powershell(places: readonly Place[]): string {
  const cases = places.map(
    (place) =>
      `    '${place.path}' { @(${nextWords(place)
        .map((word) => `'${word}'`)
        .join(", ")}) }`,
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
