/**
 * Bugs on purpose. A mutant is a patch of the sources, applied to a copy of them: nothing in the
 * sources themselves knows of it, so that no switch can ever be thrown in production. If what
 * watches over Holdfast is worth anything, it finds each of them.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { MemberSettings } from "../../src/member/index.ts";
import type { Profile } from "../model/profiles.ts";
import type { FaultKind } from "../sim/faults/kinds.ts";
import type { TrafficPlan } from "../sim/traffic.ts";

export interface Patch {
  /** From the root of the repository. */
  readonly file: string;
  /** Must be there exactly once. */
  readonly search: string;
  readonly replace: string;
}

/** How a mutant is looked for. */
export type Trial =
  | {
      /** Simulated clusters, seed after seed; what is not said here the seed chooses. */
      readonly kind: "simulate";
      readonly members?: number;
      readonly simulatedMs?: number;
      readonly faults?: readonly FaultKind[];
      readonly settings?: Partial<MemberSettings>;
      readonly diskDelayMaxMs?: number;
      readonly traffic?: Partial<Omit<TrafficPlan, "changes">>;
      readonly profile?: Partial<Profile>;
    }
  /** All states of three members' consensus. */
  | { readonly kind: "explore"; readonly scope: string }
  /** A test of the sources. */
  | { readonly kind: "test"; readonly file: string };

export interface Mutant {
  readonly name: string;
  /** What goes wrong, and where it did so before. */
  readonly story: string;
  readonly patches: readonly Patch[];
  readonly trial: Trial;
}

export const ROOT = resolve(import.meta.dirname, "../..");

/** A copy of the sources and tests to be patched; ends with `dispose`. */
export class Copy {
  readonly root = mkdtempSync(join(tmpdir(), "holdfast-mutants-"));

  /** `from`: the root of the repository to copy. */
  constructor(from = ROOT) {
    for (const part of ["src", "test", "package.json", "tsconfig.json"]) {
      cpSync(join(from, part), join(this.root, part), { recursive: true });
    }
    symlinkSync(join(from, "node_modules"), join(this.root, "node_modules"));
  }

  /** Puts the patches in; what was there before comes back with `restore`. Throws as `patched`. */
  apply(patches: readonly Patch[]): { restore(): void } {
    const before = new Map<string, string>();
    for (const patch of patches) {
      const path = join(this.root, patch.file);
      const text = readFileSync(path, "utf8");
      if (!before.has(path)) before.set(path, text);
      writeFileSync(path, patched(text, patch));
    }
    return {
      restore: () => {
        for (const [path, text] of before) writeFileSync(path, text);
      },
    };
  }

  dispose(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Throws unless what is looked for is there exactly once. */
export function patched(text: string, { file, search, replace }: Patch): string {
  const parts = text.split(search);
  if (parts.length !== 2) {
    throw new Error(`${file} has ${parts.length - 1} places with ${JSON.stringify(search)}, not 1`);
  }
  return parts.join(replace);
}
