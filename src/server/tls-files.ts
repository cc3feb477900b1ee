/** The certificate of one kind of port: as given, or made here (TL-05). */
import { keepSelfSigned, systemClock, TlsMaterial, type TlsOptions } from "../host/index.ts";
import type { Logger } from "../seam/index.ts";
import type { ServerConfig } from "./config.ts";

export interface TlsPair {
  readonly listening: TlsMaterial;
  /** What a member shows when it dials another. */
  readonly dialling: TlsMaterial;
  /** Made here: nobody can check the others' certificates. */
  readonly isSelfSigned: boolean;
}

/** Undefined when neither files nor an own certificate were asked for. Throws HostError. */
export async function loadTls(
  config: ServerConfig,
  side: "client" | "peer",
  logger: Logger,
): Promise<TlsPair | undefined> {
  const { files, dialling, isAuto } = side === "client" ? config.clientTls : config.peerTls;
  if (files !== undefined) {
    const listening = await TlsMaterial.load(files, logger);
    const isSame = dialling === undefined || dialling.certFile === files.certFile;
    return {
      listening,
      dialling: isSame ? listening : await TlsMaterial.load(dialling, logger),
      isSelfSigned: false,
    };
  }
  if (!isAuto) return undefined;
  const urls = side === "client" ? config.listenClientUrls : config.listenPeerUrls;
  const made = await keepSelfSigned(`${config.dataDirectory}/fixtures/${side}`, {
    hosts: [...new Set(urls.map((url) => new URL(url).hostname || "localhost"))],
    validYears: config.selfSignedValidityYears,
    now: new Date(systemClock.wallMs()),
  });
  const options: TlsOptions = { certFile: made.certFile, keyFile: made.keyFile };
  const material = await TlsMaterial.load(options, logger);
  return { listening: material, dialling: material, isSelfSigned: true };
}
