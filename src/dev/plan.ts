/**
 * Which members there are, where they live and with which flags they start. A kept data directory
 * remembers it: members find each other by the ports that they began with.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { DevOptions } from "./options.ts";

const MEMBERS_DEFAULT = 3;
const BASE_PORT_DEFAULT = 2379;
const MEMORY = "dev.json";

export interface PlannedMember {
  /** "m1" */
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly dataDirectory: string;
  readonly logFile: string;
  readonly flags: readonly string[];
}

export interface Plan {
  readonly directory: string;
  readonly isTemporary: boolean;
  readonly members: readonly PlannedMember[];
  /** For etcdctl: "127.0.0.1:2379,127.0.0.1:2381,..". */
  readonly endpoints: string;
}

/** A wish that cannot be fulfilled; the message is for people. */
export class PlanError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "PlanError";
  }
}

interface Shape {
  readonly members: number;
  readonly basePort: number;
}

/** Makes the directory. Throws PlanError. */
export function makePlan(options: DevOptions): Plan {
  const isTemporary = options.dataDirectory === undefined;
  const directory = isTemporary
    ? mkdtempSync(join(tmpdir(), "holdfast-dev-"))
    : resolve(options.dataDirectory as string);
  const shape = shapeOf(options, directory);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(join(directory, MEMORY), `${JSON.stringify(shape)}\n`);
  } catch (error) {
    throw new PlanError(`${directory} cannot be used: ${(error as Error).message}`);
  }
  const places = Array.from({ length: shape.members }, (_, at) => ({
    name: `m${at + 1}`,
    clientPort: shape.basePort + 2 * at,
    peerPort: shape.basePort + 2 * at + 1,
  }));
  const cluster = places.map(({ name, peerPort }) => `${name}=${urlOf(peerPort)}`).join(",");
  const members = places.map((place): PlannedMember => {
    const dataDirectory = join(directory, place.name);
    const flags = [
      ...["--name", place.name, "--data-dir", dataDirectory],
      ...["--listen-client-urls", urlOf(place.clientPort)],
      ...["--advertise-client-urls", urlOf(place.clientPort)],
      ...["--listen-peer-urls", urlOf(place.peerPort)],
      ...["--initial-advertise-peer-urls", urlOf(place.peerPort)],
      ...["--initial-cluster", cluster, "--initial-cluster-token", "holdfast-dev"],
      ...options.memberFlags,
    ];
    return { ...place, dataDirectory, logFile: `${dataDirectory}.log`, flags };
  });
  const endpoints = members.map(({ clientPort }) => `127.0.0.1:${clientPort}`).join(",");
  return { directory, isTemporary, members, endpoints };
}

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

function shapeOf({ members, basePort }: DevOptions, directory: string): Shape {
  const path = join(directory, MEMORY);
  if (!existsSync(path)) {
    return { members: members ?? MEMBERS_DEFAULT, basePort: basePort ?? BASE_PORT_DEFAULT };
  }
  const kept = readShape(path);
  if ((members ?? kept.members) !== kept.members || (basePort ?? kept.basePort) !== kept.basePort) {
    throw new PlanError(
      `${directory} holds a cluster of ${kept.members} members on ports from ${kept.basePort}: ` +
        "leave --members and --base-port away, or choose another --data-dir",
    );
  }
  return kept;
}

function readShape(path: string): Shape {
  try {
    const { members, basePort } = JSON.parse(readFileSync(path, "utf8")) as Partial<Shape>;
    if (Number.isInteger(members) && Number.isInteger(basePort)) {
      return { members: members as number, basePort: basePort as number };
    }
  } catch {
    // Told below.
  }
  throw new PlanError(`${path} is damaged: remove it and give --members and --base-port again`);
}
