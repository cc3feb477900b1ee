/** Completion for fish, with the summaries beside the words. */
import type { FlagSpec } from "../command.ts";
import { type CompletionTable, FILE_FLAGS, partsOf, valueFlags } from "./table.ts";

export function fishCompletion(table: CompletionTable): string {
  const summaries = new Map(table.commands.map(({ entry }) => [entry.name, entry.summary]));
  const parts = [...partsOf(table)].flatMap(([path, words]) =>
    [...words].map((word) => {
      const name = path === "" ? word : `${path} ${word}`;
      const says = summaries.get(name) ?? `${word} commands`;
      return `complete -c etcdctl -f -n '__etcdctl_at "${path}"' -a ${word} -d ${quoted(says)}`;
    }),
  );
  const own = table.commands.flatMap(({ entry, flags }) =>
    flags.map((flag) => flagLine(flag, ` -n '__etcdctl_at "${entry.name}"'`)),
  );
  const globals = table.globals.map((flag) => flagLine(flag, ""));
  return `# fish completion for etcdctl; load it with: etcdctl completion fish | source
function __etcdctl_at
    set -l path
    set -l skips no
    for word in (commandline -opc)[2..-1]
        if test $skips = yes
            set skips no
            continue
        end
        switch $word
            case ${valueFlags(table).join(" ")}
                set skips yes
            case '-*'
            case '*'
                set -a path $word
        end
    end
    set -l names ${[...partsOf(table).keys()].map((path) => `"${path}"`).join(" ")} ${table.commands.map(({ entry }) => `"${entry.name}"`).join(" ")}
    while test (count $path) -gt 0; and not contains -- "$path" $names
        set -e path[-1]
    end
    test "$path" = "$argv[1]"
end
${[...parts, ...own, ...globals].join("\n")}
`;
}

function flagLine(flag: FlagSpec, when: string): string {
  const short = flag.short === undefined ? "" : ` -s ${flag.short}`;
  const isFile = FILE_FLAGS.includes(`--${flag.name}`);
  const values = flag.values === undefined ? "" : ` -f -a '${flag.values.join(" ")}'`;
  const value = flag.kind === "bool" ? "" : ` -r${isFile ? " -F" : values}`;
  return `complete -c etcdctl${when} -l ${flag.name}${short}${value} -d ${quoted(flag.help)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
