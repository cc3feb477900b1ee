/**
 * `npm run robustness [-- --target holdfast|etcd --minutes M --profile P --seed N --faults a,b]`:
 * real members under traffic and faults, each profile for so long; exits with 1 when a judge has
 * something to say, or when fewer than 100 requests a second were answered.
 */
import { parseArgs } from "node:util";
import { PROFILES } from "../model/profiles.ts";
import { PROCESS_FAULTS } from "./process-faults.ts";
import { runProfile } from "./run-profile.ts";

const ANSWERS_PER_SECOND_MIN = 100;
/** What etcd 3.4.23 is known to do wrong, by the check that finds it. */
const KNOWN_OF_ETCD: ReadonlyMap<string, string> = new Map([["watch bookmarkable", "etcd 15220"]]);

const { values } = parseArgs({
  options: {
    target: { type: "string", default: "holdfast" },
    minutes: { type: "string", default: "1" },
    profile: { type: "string" },
    seed: { type: "string", default: "1" },
    members: { type: "string", default: "3" },
    faults: { type: "string" },
  },
});

function wrong(message: string): never {
  const faults = PROCESS_FAULTS.map(({ name }) => name).join(", ");
  console.error(
    `${message}\nprofiles: ${PROFILES.map(({ name }) => name).join(", ")}\nfaults: ${faults}`,
  );
  process.exit(2);
}

const { target } = values;
if (target !== "holdfast" && target !== "etcd")
  wrong(`--target is holdfast or etcd, not ${target}`);
const seconds = Number(values.minutes) * 60;
if (!(seconds > 0)) wrong(`--minutes "${values.minutes}" is not a positive number`);
const chosen = PROFILES.filter(
  ({ name }) => values.profile === undefined || values.profile === name,
);
if (chosen.length === 0) wrong(`there is no profile "${values.profile}"`);

let isClean = true;
for (const { name } of chosen) {
  const faults = values.faults?.split(",");
  const report = await runProfile({
    target,
    profile: name,
    seconds,
    seed: Number(values.seed),
    members: Number(values.members),
    say: (line) => console.log(`  ${line}`),
    ...(faults === undefined ? {} : { faults }),
  });
  const { answeredPerSecond, missing } = report;
  const isKnown = (check: string): boolean => target === "etcd" && KNOWN_OF_ETCD.has(check);
  const problems = report.problems.filter(({ check }) => !isKnown(check));
  const struck = [...report.faults].map(([fault, count]) => `${fault} ${count}`).join(", ");
  console.log(
    `${target} ${name}: ${report.calls} requests, ${report.answered} answered ` +
      `(${answeredPerSecond.toFixed(0)} a second), ${report.revisions} revisions, ` +
      `${report.watches} watches were shown ${report.events} events; ${struck}`,
  );
  for (const [fault, why] of missing) console.log(`  not done: ${fault}: ${why}`);
  for (const { check, text } of report.problems) {
    const known = isKnown(check) ? ` (known: ${KNOWN_OF_ETCD.get(check)})` : "";
    console.log(`  ${check}${known}: ${text}`);
  }
  if (problems.length === 0) console.log("  nothing is wrong that is not known");
  if (answeredPerSecond < ANSWERS_PER_SECOND_MIN) console.log("  too few answers to say so");
  isClean &&= problems.length === 0 && answeredPerSecond >= ANSWERS_PER_SECOND_MIN;
}
process.exit(isClean ? 0 : 1);
