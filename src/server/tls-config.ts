/** The TLS options of the client and the peer side, and what they may not be combined with. */
import type { TlsOptions } from "../host/index.ts";
import { ConfigError } from "./config-error.ts";
import type { ServerConfig, TlsSide } from "./config.ts";
import type { Options } from "./options.ts";

/** Throws ConfigError. */
export function tlsOf(settings: Options): {
  clientTls: TlsSide;
  peerTls: TlsSide;
  selfSignedValidityYears: number;
} {
  const clientTls = sideOf(settings, "");
  const { files, isAuto } = clientTls;
  if (isAuto && files === undefined && asksForCertificates(settings)) {
    throw new ConfigError(
      "--auto-tls cannot judge certificates of clients: give --cert-file and --key-file, or drop " +
        "--trusted-ca-file, --client-cert-auth and --client-crl-file",
    );
  }
  return {
    clientTls,
    peerTls: sideOf(settings, "peer-"),
    selfSignedValidityYears: settings.positive("self-signed-cert-validity"),
  };
}

function asksForCertificates(settings: Options): boolean {
  return (
    settings.text("trusted-ca-file") !== "" ||
    settings.text("client-crl-file") !== "" ||
    settings.flag("client-cert-auth")
  );
}

function sideOf(settings: Options, prefix: "" | "peer-"): TlsSide {
  const pair = (cert: string, key: string): [string, string] | undefined => {
    const [certFile, keyFile] = [settings.text(cert), settings.text(key)];
    if ((certFile === "") !== (keyFile === "")) {
      throw new ConfigError(`--${cert} and --${key} must both be present, or neither`);
    }
    return certFile === "" ? undefined : [certFile, keyFile];
  };
  const isPeer = prefix === "peer-";
  const shown = pair(`${prefix}cert-file`, `${prefix}key-file`);
  const dialling = isPeer ? pair("peer-client-cert-file", "peer-client-key-file") : undefined;
  const allowedCommonNames = isPeer ? settings.list("peer-cert-allowed-cn") : [];
  const allowedHostnames = settings.list(
    isPeer ? "peer-cert-allowed-hostname" : "client-cert-allowed-hostname",
  );
  if (allowedCommonNames.length > 0 && allowedHostnames.length > 0) {
    throw new ConfigError(
      `--${prefix}cert-allowed-cn (${allowedCommonNames.join(",")}) and ` +
        `--${prefix}cert-allowed-hostname (${allowedHostnames.join(",")}) are mutually exclusive`,
    );
  }
  const isAuto = settings.flag(`${prefix}auto-tls`);
  if (shown === undefined) return { files: undefined, dialling: undefined, isAuto };
  const files: TlsOptions = {
    certFile: shown[0],
    keyFile: shown[1],
    trustedCaFile: settings.text(`${prefix}trusted-ca-file`),
    clientCertAuth: settings.flag(`${prefix}client-cert-auth`),
    crlFile: settings.text(isPeer ? "peer-crl-file" : "client-crl-file"),
    allowedCommonNames,
    allowedHostnames,
    cipherSuites: settings.list("cipher-suites"),
    minVersion: settings.text("tls-min-version"),
    maxVersion: settings.text("tls-max-version"),
  };
  const [certFile, keyFile] = dialling ?? shown;
  return { files, dialling: { ...files, certFile, keyFile }, isAuto };
}

/** https without a certificate cannot be; http beside one is open to all, and told. */
export function checkTls(config: ServerConfig, warnings: string[]): void {
  const { listenClientUrls, listenClientHttpUrls, listenMetricsUrls, listenPeerUrls } = config;
  const clientUrls = [...listenClientUrls, ...listenClientHttpUrls, ...listenMetricsUrls];
  checkSide("", clientUrls, config.clientTls, warnings);
  checkSide("peer-", listenPeerUrls, config.peerTls, warnings);
  if (config.peerTls.isAuto && config.peerTls.files !== undefined) {
    warnings.push("ignoring --peer-auto-tls since certificates were given");
  }
}

function checkSide(
  prefix: "" | "peer-",
  urls: readonly string[],
  tls: TlsSide,
  warnings: string[],
): void {
  const what = prefix === "" ? "client" : "peer";
  for (const url of urls) {
    const isSecure = /^(https|unixs):/.test(url);
    if (isSecure && tls.files === undefined && !tls.isAuto) {
      throw new ConfigError(
        `TLS key/cert (--${prefix}cert-file, --${prefix}key-file) must be provided for ${what} url ` +
          `${url} with HTTPS scheme, or --${prefix}auto-tls`,
      );
    }
    if (isSecure || tls.files === undefined) continue;
    warnings.push(
      `the scheme of ${url} is http: certificate and ${prefix}client-cert-auth do not apply to it`,
    );
  }
}
