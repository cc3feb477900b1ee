/** A member asks another one something and gets its answer, over simulated links. */
import { EtcdError } from "../errors/index.ts";
import type { PeerHandler } from "../seam/index.ts";
import type { Endpoint, SimulatedNetwork } from "./simulated-network.ts";

/** Rejects as `PeerNetwork` says. The answer is a copy. */
export async function askPeer<T>(
  network: SimulatedNetwork,
  from: Endpoint,
  id: bigint,
  question: (handler: PeerHandler) => T | Promise<T>,
): Promise<T> {
  const urls = from.peers.get(id);
  if (urls === undefined) throw new Error(`member ${id.toString(16)} is not known here`);
  const answered = travel(network, from, urls, question);
  answered.catch(() => undefined);
  let timer: { cancel(): void } | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = network.time.after(network.questionTimeoutMs, () =>
      reject(new Error(`no answer from ${urls.join(",")} in time`)),
    );
  });
  try {
    return await Promise.race([answered, late]);
  } finally {
    timer?.cancel();
  }
}

async function travel<T>(
  network: SimulatedNetwork,
  from: Endpoint,
  urls: readonly string[],
  question: (handler: PeerHandler) => T | Promise<T>,
): Promise<T> {
  const target = await reach(network, from, urls);
  return network.exchange(from, target, async () => {
    const answer = await settledIn(target, question);
    await network.sleep(network.delayMs(network.link(target.host, from.host)));
    if (answer instanceof Error) throw answer;
    return structuredClone(answer.value);
  });
}

/** The listener that a connection from here gets to; rejects when there is none. */
export async function reach(
  network: SimulatedNetwork,
  from: Endpoint,
  urls: readonly string[],
): Promise<Endpoint> {
  const host = network.listener(urls)?.host ?? "nowhere";
  await network.sleep(network.delayMs(network.link(from.host, host)));
  const target = network.listener(urls);
  if (target === undefined) throw new Error(`connection refused: ${urls.join(",")}`);
  if (network.isCut(from.host, target.host)) {
    await network.sleep(network.questionTimeoutMs);
    throw new Error(`no route to ${urls.join(",")}`);
  }
  return target;
}

/** What the target answers, as its process gets to it. */
export function settledIn<T>(
  target: Endpoint,
  question: (handler: PeerHandler) => T | Promise<T>,
): Promise<{ value: T } | Error> {
  return new Promise((resolve) => {
    target.process.enter(() => {
      const asked = async (): Promise<T> => question(target.handler);
      asked().then(
        (value) => resolve({ value }),
        (error: unknown) => resolve(error instanceof EtcdError ? error : new Error(String(error))),
      );
    });
  });
}
