/**
 * Completion for bash and zsh: the same tables as shell functions, and around them what each shell
 * has its own way of. Both serve the names etcdctl and holdfast (its verb ctl).
 */
import {
  type CompletionTable,
  FILE_FLAGS,
  knownValues,
  partsOf,
  spellings,
  valueFlags,
} from "./table.ts";

export function bashCompletion(table: CompletionTable): string {
  return `# bash completion for etcdctl; load it with: source <(etcdctl completion bash)
${functions(table)}
_etcdctl() {
  local cur=\${COMP_WORDS[COMP_CWORD]} place= flag= word i first=1
  COMPREPLY=()
  case \${COMP_WORDS[0]##*/} in
    holdfast)
      if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W ctl -- "$cur")); return; fi
      [ "\${COMP_WORDS[1]}" = ctl ] || return
      first=2 ;;
  esac
  for ((i = first; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [ -n "$flag" ]; then
      [ "$word" = = ] || flag=
      continue
    fi
    case $word in
      --) return ;;
      -*) if _etcdctl_takes "$word"; then flag=$word; fi ;;
      *) place=$(_etcdctl_step "$place" "$word") ;;
    esac
  done
  [ "$cur" != = ] || cur=
  if [ -n "$flag" ]; then
    if _etcdctl_is_file "$flag"; then COMPREPLY=($(compgen -f -- "$cur")); return; fi
    COMPREPLY=($(compgen -W "$(_etcdctl_values "$place" "$flag")" -- "$cur"))
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$(_etcdctl_flags "$place")" -- "$cur"))
  else
    COMPREPLY=($(compgen -W "$(_etcdctl_parts "$place")" -- "$cur"))
  fi
}
complete -o bashdefault -F _etcdctl etcdctl holdfast
`;
}

export function zshCompletion(table: CompletionTable): string {
  return `#compdef etcdctl holdfast
# zsh completion for etcdctl; load it with: source <(etcdctl completion zsh)
${functions(table)}
_etcdctl() {
  local cur=\${words[CURRENT]} place= flag= word i first=2
  if [[ \${words[1]:t} == holdfast ]]; then
    if (( CURRENT == 2 )); then compadd ctl; return; fi
    [[ \${words[2]} == ctl ]] || return 1
    first=3
  fi
  for (( i = first; i < CURRENT; i++ )); do
    word=\${words[i]}
    if [[ -n $flag ]]; then flag=; continue; fi
    case $word in
      --) _files; return ;;
      -*=*) ;;
      -*) if _etcdctl_takes "$word"; then flag=$word; fi ;;
      *) place=$(_etcdctl_step "$place" "$word") ;;
    esac
  done
  if [[ -z $flag && $cur == --*=* ]]; then
    flag=\${cur%%=*}
    compset -P '*='
  fi
  if [[ -n $flag ]]; then
    if _etcdctl_is_file "$flag"; then _files; return; fi
    compadd -- $(_etcdctl_values "$place" "$flag")
  elif [[ $cur == -* ]]; then
    compadd -- $(_etcdctl_flags "$place")
  else
    compadd -- $(_etcdctl_parts "$place")
  fi
}
compdef _etcdctl etcdctl holdfast
`;
}

/** Functions that both shells understand. No variable may be called path: it is zsh's own PATH. */
function functions(table: CompletionTable): string {
  const parts = [...partsOf(table)].map(([path, words]) => row(`"${path}"`, [...words]));
  const flags = table.commands.map(({ entry, flags: own }) =>
    row(`"${entry.name}"`, spellings(own)),
  );
  const values = knownValues(table).map(([name, flag, known]) =>
    row(name === "" ? `*" ${flag}"` : `"${name} ${flag}"`, known),
  );
  return `
_etcdctl_parts() {
  case $1 in
${parts.join("\n")}
  esac
}
_etcdctl_flags() {
  case $1 in
${flags.join("\n")}
  esac
  echo "${spellings(table.globals).join(" ")}"
}
_etcdctl_values() {
  case "$1 $2" in
${values.join("\n")}
  esac
}
_etcdctl_takes() {
  case $1 in
    ${valueFlags(table).join(" | ")}) return 0 ;;
  esac
  return 1
}
_etcdctl_is_file() {
  case $1 in
    ${FILE_FLAGS.join(" | ")}) return 0 ;;
  esac
  return 1
}
_etcdctl_step() {
  case " $(_etcdctl_parts "$1" | tr '\\n' ' ') " in
    *" $2 "*) if [ -n "$1" ]; then echo "$1 $2"; else echo "$2"; fi ;;
    *) echo "$1" ;;
  esac
}`;
}

function row(pattern: string, words: readonly string[]): string {
  return `    ${pattern}) printf '%s\\n' ${words.join(" ") || "''"} ;;`;
}
