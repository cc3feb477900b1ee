/** Endpoints by the SRV records of a domain, as etcd's clients look for them. */
import { resolveSrv } from "node:dns/promises";
import { CtlError } from "./exit.ts";

/** `service` distinguishes clusters of one domain; "" = the only one. Those with TLS come first. */
export async function discover(domain: string, service: string): Promise<string[]> {
  const suffix = service === "" ? "" : `-${service}`;
  const found = await Promise.allSettled([
    urls("https", `_etcd-client-ssl${suffix}._tcp.${domain}`),
    urls("http", `_etcd-client${suffix}._tcp.${domain}`),
  ]);
  const endpoints = found.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  if (endpoints.length > 0) return endpoints;
  const reasons = found.flatMap((one) =>
    one.status === "rejected" ? [(one.reason as Error).message] : [],
  );
  throw new CtlError(`dns lookup errors: ${reasons.join(" and ") || "no records"}`);
}

async function urls(scheme: string, name: string): Promise<string[]> {
  const records = await resolveSrv(name);
  return records.map((record) => `${scheme}://${record.name.replace(/\.$/, "")}:${record.port}`);
}
