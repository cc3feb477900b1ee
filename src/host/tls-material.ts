/**
 * What a TLS listener shows and asks for, kept up to date with its files.
 *
 * Before each handshake the files are looked at (one stat each, off the event loop, shared by the
 * handshakes that arrive meanwhile) and read again when one has changed: certificate, key, CA
 * bundle and revocation list alike (TL-01, TL-02). A slow disk delays a handshake by
 * REFRESH_WAIT_MS_MAX at most; it then goes on with what was read last. Files that do not fit
 * together, as in the middle of a rotation, leave the last good ones in use and are told once.
 *
 * No DNS on this path (TL-03): the caller's certificate is judged by its chain, the revocation list
 * and the allowed names alone, never by a look-up of its address.
 */
import { X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";
import { createSecureContext, type SecureContextOptions, type TLSSocket } from "node:tls";
import type { Logger } from "../seam/index.ts";
import { failureOf, HostError } from "./host-error.ts";
import { readRevokedSerials, serialKey } from "./revocations.ts";
import { opensslCiphers, tlsVersion } from "./tls-names.ts";

/** What a handshake waits for a look at the files. Beyond: the material read last is used. */
const REFRESH_WAIT_MS_MAX = 250;

export interface TlsOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** Signs the certificates of clients. With it every client must show one. */
  readonly trustedCaFile?: string;
  readonly clientCertAuth?: boolean;
  readonly crlFile?: string;
  /** Clients' certificates must be good for one of these; never both lists. */
  readonly allowedCommonNames?: readonly string[];
  readonly allowedHostnames?: readonly string[];
  /** Go's names. */
  readonly cipherSuites?: readonly string[];
  /** "TLS1.2", "TLS1.3" or "". */
  readonly minVersion?: string;
  readonly maxVersion?: string;
}

interface Loaded {
  readonly stamp: string;
  readonly context: SecureContextOptions;
  readonly revokedSerials: ReadonlySet<string>;
  readonly expiresAtMs: number;
}

export class TlsMaterial {
  readonly asksForCertificate: boolean;
  readonly #options: TlsOptions;
  readonly #logger: Logger;
  readonly #fixed: SecureContextOptions;
  #loaded: Loaded;
  /** Bumped whenever new files came into use. */
  generation = 1;
  #refreshing: Promise<void> | undefined;
  #failedStamp = "";

  private constructor(
    options: TlsOptions,
    logger: Logger,
    fixed: SecureContextOptions,
    loaded: Loaded,
  ) {
    this.#options = options;
    this.#logger = logger;
    this.#fixed = fixed;
    this.#loaded = loaded;
    this.asksForCertificate = needsClientCertificate(options);
  }

  /** Reads everything once. Throws HostError naming the flag's file that is wrong. */
  static async load(options: TlsOptions, logger: Logger): Promise<TlsMaterial> {
    const fixed = fixedOptions(options);
    const loaded = await load(options, fixed, await stampOf(options));
    return new TlsMaterial(options, logger, fixed, loaded);
  }

  get context(): SecureContextOptions {
    return this.#loaded.context;
  }

  /** When the certificate that is shown ends, Unix milliseconds. */
  get expiresAtMs(): number {
    return this.#loaded.expiresAtMs;
  }

  /** Resolves when the files were looked at, or that takes too long. Never rejects. */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#reload().finally(() => {
      this.#refreshing = undefined;
    });
    let limit: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, REFRESH_WAIT_MS_MAX);
    });
    await Promise.race([this.#refreshing, tooLong]);
    clearTimeout(limit);
  }

  async #reload(): Promise<void> {
    let stamp = "";
    try {
      stamp = await stampOf(this.#options);
      if (stamp === this.#loaded.stamp) return;
      this.#loaded = await load(this.#options, this.#fixed, stamp);
      this.generation += 1;
      this.#failedStamp = "";
      this.#logger.info("TLS files changed and are in use", {
        "cert-file": this.#options.certFile,
      });
    } catch (error) {
      if (stamp !== "" && stamp === this.#failedStamp) return;
      this.#failedStamp = stamp;
      this.#logger.error("TLS files changed but cannot be used; the former ones stay in use", {
        error: (error as Error).message,
      });
    }
  }

  /** Why the client of a finished handshake is not welcome; undefined when it is. */
  refusal(socket: TLSSocket): string | undefined {
    if (!this.asksForCertificate) return undefined;
    const leaf = socket.getPeerX509Certificate();
    if (leaf === undefined) return "no client certificate";
    for (let at: X509Certificate | undefined = leaf; at; at = issuerOf(at)) {
      if (this.#loaded.revokedSerials.has(serialKey(at.serialNumber))) {
        return `certificate serial ${at.serialNumber} is revoked`;
      }
    }
    return this.#unwelcomeName(leaf);
  }

  /** Why the server of a finished handshake that we began is not the right one. */
  refusalOfServer(socket: TLSSocket): string | undefined {
    const leaf = socket.getPeerX509Certificate();
    return leaf === undefined ? "no server certificate" : this.#unwelcomeName(leaf);
  }

  #unwelcomeName(leaf: X509Certificate): string | undefined {
    const { allowedCommonNames = [], allowedHostnames = [] } = this.#options;
    if (allowedCommonNames.length > 0 && !allowedCommonNames.some((name) => hasName(leaf, name))) {
      return "certificate common name is not allowed";
    }
    if (allowedHostnames.length > 0 && !allowedHostnames.some((name) => isGoodFor(leaf, name))) {
      return "certificate is not good for an allowed hostname";
    }
    return undefined;
  }
}

function needsClientCertificate(options: TlsOptions): boolean {
  return options.clientCertAuth === true || (options.trustedCaFile ?? "") !== "";
}

function fixedOptions(options: TlsOptions): SecureContextOptions {
  const minVersion = tlsVersion("tls-min-version", options.minVersion ?? "") ?? "TLSv1.2";
  const maxVersion = tlsVersion("tls-max-version", options.maxVersion ?? "") ?? "TLSv1.3";
  if (minVersion > maxVersion) {
    throw new HostError("--tls-min-version must not be above --tls-max-version");
  }
  if (
    (options.allowedCommonNames ?? []).length > 0 &&
    (options.allowedHostnames ?? []).length > 0
  ) {
    throw new HostError("allowed common names and allowed hostnames exclude each other (TL-04)");
  }
  const ciphers = opensslCiphers(options.cipherSuites ?? []);
  if (ciphers !== "" && minVersion === "TLSv1.3") {
    throw new HostError("--cipher-suites cannot be chosen when --tls-min-version is TLS1.3");
  }
  return { minVersion, maxVersion, ...(ciphers === "" ? {} : { ciphers }) };
}

function pathsOf(options: TlsOptions): string[] {
  const { certFile, keyFile, trustedCaFile = "", crlFile = "" } = options;
  return [certFile, keyFile, trustedCaFile, crlFile];
}

/** Changes whenever one of the files does: through a link too, and when it is replaced. */
async function stampOf(options: TlsOptions): Promise<string> {
  const stamps = await Promise.all(
    pathsOf(options).map(async (path) => {
      if (path === "") return "";
      const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true }).catch(
        (error: unknown) => {
          throw new HostError(`TLS file ${path} cannot be read: ${failureOf(error)}`, error);
        },
      );
      return `${ino}.${size}.${mtimeNs}.${ctimeNs}`;
    }),
  );
  return stamps.join("/");
}

async function load(
  options: TlsOptions,
  fixed: SecureContextOptions,
  stamp: string,
): Promise<Loaded> {
  const [cert, key, ca, crl] = (await Promise.all(
    pathsOf(options).map(async (path) => {
      if (path === "") return undefined;
      return readFile(path).catch((error: unknown) => {
        throw new HostError(`TLS file ${path} cannot be read: ${failureOf(error)}`, error);
      });
    }),
  )) as [Buffer, Buffer, Buffer | undefined, Buffer | undefined];
  const context: SecureContextOptions = { ...fixed, cert, key, ...(ca ? { ca } : {}) };
  const expiresAtMs = attempt(`certificate ${options.certFile}`, () =>
    Date.parse(new X509Certificate(cert).validTo),
  );
  if (ca) attempt(`CA bundle ${options.trustedCaFile}`, () => new X509Certificate(ca));
  attempt(`certificate ${options.certFile} with key ${options.keyFile}`, () =>
    createSecureContext(context),
  );
  const revokedSerials = crl
    ? attempt(`revocation list ${options.crlFile}`, () => readRevokedSerials(crl))
    : new Set<string>();
  return { stamp, context, revokedSerials, expiresAtMs };
}

function attempt<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new HostError(`${what} is not usable: ${(error as Error).message}`, error);
  }
}

function issuerOf(certificate: X509Certificate): X509Certificate | undefined {
  const issuer = certificate.issuerCertificate;
  return issuer === undefined || issuer.fingerprint256 === certificate.fingerprint256
    ? undefined
    : issuer;
}

function hasName(certificate: X509Certificate, commonName: string): boolean {
  return certificate.subject.split("\n").includes(`CN=${commonName}`);
}

function isGoodFor(certificate: X509Certificate, hostname: string): boolean {
  if (isIP(hostname) !== 0) return certificate.checkIP(hostname) !== undefined;
  return certificate.checkHost(hostname) !== undefined;
}
