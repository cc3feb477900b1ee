/** Flags that the second API's commands have beside those of the third. */
import { type FlagSpec, switchFlag, textFlag } from "../command.ts";

export const V2_FLAGS: readonly FlagSpec[] = [
  textFlag("ca-file", "", "CA certificates that servers are verified with"),
  textFlag("cert-file", "", "certificate that this client shows"),
  textFlag("key-file", "", "private key of --cert-file"),
  textFlag("endpoint", "", "as --endpoints"),
  { ...textFlag("peers", "", "as --endpoints"), short: "C" },
  switchFlag("no-sync", "ask the endpoints given, not those that the cluster names"),
  {
    ...textFlag("output", "simple", "accepted; these commands print lines", [
      "simple",
      "extended",
      "json",
    ]),
    short: "o",
  },
  { ...textFlag("username", "", "name[:password]; a missing password is asked for"), short: "u" },
  {
    name: "timeout",
    kind: "duration",
    initial: "2s",
    help: "how long a member may take to answer",
  },
  {
    name: "total-timeout",
    kind: "duration",
    initial: "5s",
    help: "how long listing or changing the members may take",
  },
];
