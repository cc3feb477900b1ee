/** Asks members over the network: gRPC by the command's client, pages by HTTP. */
import type { Client } from "../../client/index.ts";
import type { Context } from "../context.ts";
import { httpGet } from "../http-get.ts";
import { tlsOf } from "../open-client.ts";
import { type Asker, listByFirst } from "./look.ts";

/** `timeoutMs` is for each member. */
export function askerOf(context: Context, client: Client, timeoutMs: number): Asker {
  const tls = tlsOf(context.flags, client.endpoints);
  const options = { timeoutMs, failFast: true };
  return {
    minor: context.minor,
    list: () => listByFirst(client, timeoutMs),
    get: async (url) => (await httpGet(url, { tls, timeoutMs })).body,
    status: (endpoint) => client.at(endpoint).status(options),
    alarms: async (endpoint) => {
      const { alarms } = await client.maintenance.alarms("none", { ...options, endpoint });
      return alarms;
    },
  };
}
