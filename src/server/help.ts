/** What `--help`, `--version` and a mistake on the command line print. */
import { type Flag, FLAGS, type FlagSection } from "./flag-table.ts";
import { HOLDFAST_VERSION, serverVersionOf } from "./versions.ts";

export const USAGE = `Usage:

  holdfast [flags]
    Start a member.

  holdfast --config-file FILE
    Start a member with the options of a YAML or JSON file; flags and environment do not count then.

  holdfast dev
    Run a cluster on this machine for trying things out; holdfast dev --help says more.

  holdfast ctl
    Talk to a cluster, as etcdctl; holdfast ctl --help says more. Through a link named etcdctl too.

  holdfast health
    All members of a cluster at a glance; holdfast health --help says more.

  holdfast utl
    Work on the files of a member that does not run, as etcdutl; holdfast utl --help says more.

  holdfast disaster DIR...
    When a majority is lost for good: what the survivors have, and a cluster made of the best one.

  holdfast --version
    Show the version.

  holdfast --help
    Show all flags.
`;

const EXAMPLES = `Examples:

  holdfast
    A member for trying things out: data in ./default.etcd, clients on http://localhost:2379.

  holdfast --name a --data-dir /var/lib/holdfast \\
    --listen-client-urls https://10.0.0.1:2379,http://127.0.0.1:2379 \\
    --advertise-client-urls https://10.0.0.1:2379 \\
    --cert-file server.pem --key-file server.key --trusted-ca-file ca.pem
    A member that asks its clients for certificates, and serves this machine without.

  holdfast --listen-client-urls unix:///run/holdfast.sock --advertise-client-urls unix:///run/holdfast.sock
    A member behind a unix socket.

Every flag can also be set in the environment: --data-dir as ETCD_DATA_DIR. The same option given
both ways is an error.
`;

const SECTIONS: readonly FlagSection[] = [
  "Member",
  "Clustering",
  "Security",
  "Auth",
  "Monitoring",
  "Logging",
  "Tuning",
  "Unsafe",
  "Holdfast",
];

const NOTES: Readonly<Record<Flag["mark"], string>> = {
  works: "",
  moot: " (without effect here)",
  absent: " (not available in this version)",
  obsolete: " (without effect)",
};

export function helpText(): string {
  const parts = [USAGE];
  for (const section of SECTIONS) {
    const flags = FLAGS.filter((flag) => flag.section === section);
    const lines = flags.map(
      (flag) => `  --${flag.name} '${flag.fallback}'\n    ${describe(flag)}\n`,
    );
    parts.push(`${section}:\n\n${lines.join("")}`);
  }
  parts.push(EXAMPLES);
  return parts.join("\n");
}

function describe(flag: Flag): string {
  return `${flag.help}${NOTES[flag.mark]}`;
}

/** The first line is what tools choose flags by. */
export function versionText(minorVersion: number): string {
  return (
    `etcd Version: ${serverVersionOf(minorVersion)}\n` +
    `Git SHA: holdfast-${HOLDFAST_VERSION}\n` +
    `Go Version: none (Node.js ${process.version})\n` +
    `Go OS/Arch: ${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}\n` +
    `Holdfast Version: ${HOLDFAST_VERSION}\n`
  );
}
