/**
 * Where the members of a test cluster live: all on loopback, or each in a network namespace of its
 * own with two cables, one for its clients and one into a switch for its peers. Pulling the second
 * one leaves a member that clients reach and its peers do not: frames vanish, nothing is refused.
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { atExit, freePort } from "./process.ts";

export interface Place {
  /** Where clients reach the member. */
  readonly clientHost: string;
  readonly clientPort: number;
  /** Where peers reach it. */
  readonly peerHost: string;
  readonly peerPort: number;
  /** What stands before a command so that it runs there. */
  readonly prefix: readonly string[];
}

export interface Network {
  /** Room for one more member. */
  place(): Promise<Place>;
  dispose(): void;
}

export class LoopbackNetwork implements Network {
  async place(): Promise<Place> {
    const clientPort = await freePort();
    const peerPort = await freePort();
    const host = "127.0.0.1";
    return { clientHost: host, clientPort, peerHost: host, peerPort, prefix: [] };
  }

  dispose(): void {}
}

/** The places of an earlier cluster, which has ended, in their order, then new ones. */
export class SamePlaces implements Network {
  readonly #places: Place[];
  readonly #rest = new LoopbackNetwork();

  constructor(places: readonly Place[]) {
    this.#places = [...places];
  }

  async place(): Promise<Place> {
    return this.#places.shift() ?? (await this.#rest.place());
  }

  dispose(): void {}
}

const CLIENT_PORT = 22_379;
const PEER_PORT = 22_380;
const PEER_NET = 250;

function ip(...args: string[]): string {
  const result = spawnSync("ip", args, { encoding: "utf8" });
  if (result.status === 0) return result.stdout;
  throw new Error(`ip ${args.join(" ")}: ${result.stderr || result.error?.message}`);
}

/** Why network namespaces cannot be made here, or false. */
export function namespacesMissing(): string | false {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const name = `hfprobe${process.pid}`;
  const made = spawnSync("ip", ["netns", "add", name]);
  if (made.status !== 0) return "ip netns is not possible here";
  const bridge = spawnSync("ip", ["-n", name, "link", "add", "br0", "type", "bridge"]);
  spawnSync("ip", ["netns", "del", name]);
  return bridge.status === 0 ? false : "the kernel has no bridge";
}

/** Needs root. Names hold this process's id, addresses a random number: runs may overlap. */
export class NamespaceNetwork implements Network {
  static #made = 0;
  readonly #tag = `hf${process.pid.toString(36)}${letter(NamespaceNetwork.#made++)}`;
  readonly #net = randomInt(64, 250);
  readonly #switch: string;
  #count = 0;
  #isDisposed = false;

  constructor() {
    this.#switch = `${this.#tag}s`;
    atExit(() => this.dispose());
    ip("netns", "add", this.#switch);
    ip("-n", this.#switch, "link", "add", "br0", "type", "bridge");
    ip("-n", this.#switch, "link", "set", "br0", "up");
  }

  async place(): Promise<Place> {
    this.#count += 1;
    const number = this.#count;
    const space = this.#space(number);
    const clientHost = `10.${this.#net}.${number}.2`;
    const peerHost = `10.${this.#net}.${PEER_NET}.${number}`;
    ip("netns", "add", space);
    ip("-n", space, "link", "set", "lo", "up");
    const cable = `${this.#tag}c${number}`;
    ip("link", "add", cable, "type", "veth", "peer", "name", "clients", "netns", space);
    ip("addr", "add", `10.${this.#net}.${number}.1/30`, "dev", cable);
    ip("link", "set", cable, "up");
    ip("-n", space, "addr", "add", `${clientHost}/30`, "dev", "clients");
    ip("-n", space, "link", "set", "clients", "up");
    const plug = this.#plug(number);
    ip("-n", this.#switch, "link", "add", plug, "type", "veth", "peer", "name", "peers");
    ip("-n", this.#switch, "link", "set", "peers", "netns", space);
    ip("-n", this.#switch, "link", "set", plug, "up");
    ip("-n", space, "addr", "add", `${peerHost}/24`, "dev", "peers");
    ip("-n", space, "link", "set", "peers", "up");
    this.heal(peerHost);
    const prefix = ["ip", "netns", "exec", space];
    return { clientHost, clientPort: CLIENT_PORT, peerHost, peerPort: PEER_PORT, prefix };
  }

  /** Pulls the member's cable out of the switch. Both directions go silent. */
  cut(peerHost: string): void {
    ip("-n", this.#switch, "link", "set", this.#plug(numberOf(peerHost)), "nomaster");
  }

  heal(peerHost: string): void {
    ip("-n", this.#switch, "link", "set", this.#plug(numberOf(peerHost)), "master", "br0");
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    // A namespace takes its cables with it, but only when its last process is really gone.
    for (let number = 1; number <= this.#count; number += 1) {
      spawnSync("ip", ["link", "del", `${this.#tag}c${number}`]);
    }
    const spaces = Array.from({ length: this.#count }, (_, index) => this.#space(index + 1));
    for (const name of [...spaces, this.#switch]) spawnSync("ip", ["netns", "del", name]);
  }

  #space(number: number): string {
    return `${this.#tag}m${number}`;
  }

  #plug(number: number): string {
    return `plug${number}`;
  }
}

/** Names of interfaces are short. */
function letter(index: number): string {
  return String.fromCharCode(97 + (index % 26));
}

function numberOf(peerHost: string): number {
  return Number(peerHost.split(".")[3]);
}
