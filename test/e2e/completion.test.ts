/**
 * Completion in the shells themselves, as a user types: bash and zsh on a pseudo terminal with the
 * tab key, fish by its own question for completions. PowerShell is in no Debian; its script is only
 * read through (src/ctl/completion, src/utl).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Background, holdfastCommand, run, temporaryDirectory } from "../harness/process.ts";

/** What is typed, and what it becomes with the tab key: there is one way to go on. */
const LINES: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  ctl: [
    ["etcdctl le", "etcdctl lease "],
    ["etcdctl lease k", "etcdctl lease keep-alive "],
    ["etcdctl -w js", "etcdctl -w json "],
    ["etcdctl get --order D", "etcdctl get --order DESCEND "],
    ["etcdctl --endpoints lease get --keys", "etcdctl --endpoints lease get --keys-only "],
    ["etcdctl get a --pref", "etcdctl get a --prefix "],
  ],
  utl: [
    ["etcdutl sn", "etcdutl snapshot "],
    ["etcdutl snapshot re", "etcdutl snapshot restore "],
    ["etcdutl -w json snapshot st", "etcdutl -w json snapshot status "],
    ["etcdutl snapshot restore --to-r", "etcdutl snapshot restore --to-revision "],
    ["etcdutl bbolt ch", "etcdutl bbolt check "],
    ["etcdutl hashkv snap.db --re", "etcdutl hashkv snap.db --rev "],
  ],
};
/** A shell on a busy machine. */
const SHELL_MS_MAX = 30_000;
const NONE = temporaryDirectory("completion");

/** Undefined: it is here. In CI it has to be. */
function missing(...programs: readonly string[]): string | undefined {
  const absent = programs.filter((name) => spawnSync(name, ["--version"]).error !== undefined);
  if (absent.length === 0) return undefined;
  const says = `${absent.join(" and ")} not installed`;
  if (process.env["CI"] === "true") assert.fail(`${says}: .ci/run installs what the tests need`);
  return says;
}

async function scriptOf(verb: string, shell: string): Promise<string> {
  const { program, args } = holdfastCommand();
  const { code, stdout, stderr } = await run(program, [...args, verb, "completion", shell]);
  assert.equal(code, 0, stderr);
  const path = join(NONE, `${verb}.${shell}`);
  writeFileSync(path, stdout);
  return path;
}

/** Commands by which a shell completes with tab, and tells its line with ^O and empties it. */
const BEGIN: Readonly<Record<string, (script: string) => readonly string[]>> = {
  bash: (script) => [
    `source '${script}'`,
    String.raw`_tell() { printf '\n<<%s>>\n' "$READLINE_LINE"; READLINE_LINE=; }`,
    String.raw`bind -x '"\C-o": _tell'`,
    "bind 'set enable-bracketed-paste off'",
  ],
  zsh: (script) => [
    "autoload -Uz compinit; compinit -u -D",
    `source '${script}'`,
    String.raw`_tell() { printf '\n<<%s>>\n' "$BUFFER"; BUFFER=; }`,
    "zle -N _tell; bindkey '^O' _tell; bindkey '^I' complete-word",
  ],
};

/** Each line after the tab key. */
async function typed(shell: string, script: string, lines: readonly string[]): Promise<string[]> {
  const start: Readonly<Record<string, string>> = {
    bash: "bash --norc --noprofile -i",
    zsh: "zsh -f -i",
  };
  const env = { TERM: "dumb", PS1: "", COLUMNS: "500" };
  const terminal = new Background("script", ["-qec", start[shell] ?? "", "/dev/null"], env);
  try {
    for (const line of BEGIN[shell]?.(script) ?? []) terminal.write(`${line}\n`);
    terminal.write("echo be''gun; cd /var/empty 2>/dev/null || cd /\n");
    await terminal.until((text) => text.includes("begun\r"), SHELL_MS_MAX);
    const found: string[] = [];
    for (const line of lines) {
      terminal.write(`${line}\t`);
      terminal.write("\x0f");
      const count = found.length + 1;
      const told = (text: string): string[] => text.match(/^<<.*>>\r?$/gm) ?? [];
      await terminal.until((text) => told(text).length >= count, SHELL_MS_MAX);
      found.push(told(terminal.stdout).at(-1)?.trim().slice(2, -2) ?? "");
    }
    return found;
  } finally {
    await terminal.end("SIGKILL");
  }
}

describe("completion in its shell", { concurrency: true }, () => {
  for (const [verb, cases] of Object.entries(LINES)) {
    for (const shell of ["bash", "zsh"]) {
      test(`completion ${verb}: ${shell} on a terminal, with the tab key → the line goes on (CT-30, UT-07)`, async (t) => {
        const skip = missing(shell, "script");
        if (skip !== undefined) return t.skip(skip);
        const script = await scriptOf(verb, shell);
        const found = await typed(
          shell,
          script,
          cases.map(([line]) => line),
        );
        assert.deepEqual(
          found,
          cases.map(([, whole]) => whole),
        );
      });
    }
    test(`completion ${verb}: fish → the word that goes on, with what it means (CT-30, UT-07)`, async (t) => {
      const skip = missing("fish");
      if (skip !== undefined) return t.skip(skip);
      const script = await scriptOf(verb, "fish");
      const asks = cases.map(([line]) => `complete -C '${line}'; echo .`).join("\n");
      const fish = await run("fish", ["--no-config", "-c", `source '${script}'\n${asks}`]);
      assert.equal(fish.stderr, "");
      const answers = fish.stdout.split(".\n").slice(0, -1);
      for (const [at, [line, whole]] of cases.entries()) {
        const words = answers[at]?.trim().split("\n") ?? [];
        assert.equal(words.length, 1, `${line}: ${words.join()}`);
        const [word, says] = words[0]?.split("\t") ?? [];
        assert.equal(word, whole.trim().split(" ").at(-1), line);
        assert.ok((says ?? "").length > 3, `${line}: ${says}`);
      }
    });
  }
});
