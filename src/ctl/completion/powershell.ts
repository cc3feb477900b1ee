/** Completion for PowerShell. */
import { type CompletionTable, knownValues, partsOf, spellings, valueFlags } from "./table.ts";

export function powershellCompletion(table: CompletionTable): string {
  const parts = [...partsOf(table)].map(([path, words]) => entry(path, [...words]));
  const flags = table.commands.map(({ entry: { name }, flags: own }) =>
    entry(name, spellings(own)),
  );
  const values = knownValues(table).map(([name, flag, known]) =>
    entry(`${name} ${flag}`.trim(), known),
  );
  return `# PowerShell completion for etcdctl; load it with:
# etcdctl completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName etcdctl -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $parts = @{
${parts.join("\n")}
  }
  $flags = @{
${flags.join("\n")}
  }
  $values = @{
${values.join("\n")}
  }
  $globals = ${list(spellings(table.globals))}
  $takes = ${list(valueFlags(table))}
  $path = ''
  $flag = ''
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
  if ($wordToComplete -ne '') { $words = @($words | Select-Object -SkipLast 1) }
  foreach ($word in $words) {
    if ($flag -ne '') { $flag = ''; continue }
    if ($takes -ccontains $word) { $flag = $word; continue }
    if ($word.StartsWith('-')) { continue }
    if ($parts[$path] -ccontains $word) { $path = "$path $word".Trim() }
  }
  if ($flag -ne '') {
    $found = if ($values["$path $flag"]) { $values["$path $flag"] } else { $values[$flag] }
  } elseif ($wordToComplete.StartsWith('-')) {
    $found = @($flags[$path]) + $globals
  } else {
    $found = $parts[$path]
  }
  $found | Where-Object { $_ -and $_.StartsWith($wordToComplete) } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`;
}

function entry(key: string, words: readonly string[]): string {
  return `    '${key}' = ${list(words)}`;
}

function list(words: readonly string[]): string {
  return `@(${words.map((word) => `'${word}'`).join(", ")})`;
}
