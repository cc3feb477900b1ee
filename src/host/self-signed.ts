/**
 * Self-signed certificates for `--auto-tls` (TL-05): ECDSA on P-256, SHA-256, made with node:crypto
 * and a hand-written DER encoding (RFC 5280), kept in `cert.pem` and `key.pem` of a directory.
 */
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { der, derOid, derPositive, derSequence, derTime, DerTag, writePem } from "./der.ts";

const OID = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  organization: "2.5.4.10",
  basicConstraints: "2.5.29.19",
  keyUsage: "2.5.29.15",
  extendedKeyUsage: "2.5.29.37",
  subjectAlternativeName: "2.5.29.17",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

const CONTEXT_CONSTRUCTED = 0xa0;
const CONTEXT_PRIMITIVE = 0x80;
/** GeneralName choices (RFC 5280 section 4.2.1.6). */
const DNS_NAME = 2;
const IP_ADDRESS = 7;

export interface SelfSignedOptions {
  /** Host names and IP addresses that the certificate is good for. */
  readonly hosts: readonly string[];
  readonly validYears: number;
  readonly now: Date;
}

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return der(DerTag.BIT_STRING, Buffer.of(unusedBits), bytes);
}

function extension(oid: string, value: Buffer, isCritical = false): Buffer {
  const critical = isCritical ? Buffer.of(0x01, 0x01, 0xff) : Buffer.alloc(0);
  return derSequence(derOid(oid), critical, der(DerTag.OCTET_STRING, value));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  const bytes = Buffer.alloc(16);
  const [head = "", tail = ""] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const heads = head === "" ? [] : head.split(":");
  const tails = tail === "" ? [] : tail.split(":");
  heads.forEach((group, at) => bytes.writeUInt16BE(Number.parseInt(group, 16), at * 2));
  tails.forEach((group, at) =>
    bytes.writeUInt16BE(Number.parseInt(group, 16), (8 - tails.length + at) * 2),
  );
  return bytes;
}

function generalName(given: string): Buffer {
  const host = given.replace(/^\[(.*)\]$/, "$1");
  if (isIP(host) !== 0) return der(CONTEXT_PRIMITIVE | IP_ADDRESS, addressBytes(host));
  return der(CONTEXT_PRIMITIVE | DNS_NAME, Buffer.from(host, "latin1"));
}

function extensions(hosts: readonly string[]): Buffer {
  const digitalSignatureAndKeyEncipherment = bitString(Buffer.of(0xa0), 5);
  return derSequence(
    extension(OID.keyUsage, digitalSignatureAndKeyEncipherment, true),
    extension(OID.extendedKeyUsage, derSequence(derOid(OID.serverAuth), derOid(OID.clientAuth))),
    extension(OID.basicConstraints, derSequence(), true),
    extension(OID.subjectAlternativeName, derSequence(...hosts.map(generalName))),
  );
}

/** A certificate and its key, both PEM. */
export function makeSelfSigned(options: SelfSignedOptions): { cert: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = derSequence(derOid(OID.ecdsaWithSha256));
  const organization = der(DerTag.UTF8_STRING, Buffer.from("holdfast"));
  const name = derSequence(der(DerTag.SET, derSequence(derOid(OID.organization), organization)));
  const notAfter = new Date(options.now);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + options.validYears);
  const toBeSigned = derSequence(
    der(CONTEXT_CONSTRUCTED, derPositive(Buffer.of(2))),
    derPositive(Buffer.concat([Buffer.of(1), randomBytes(15)])),
    algorithm,
    name,
    derSequence(derTime(options.now), derTime(notAfter)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(CONTEXT_CONSTRUCTED | 3, extensions(options.hosts)),
  );
  const signature = sign("sha256", toBeSigned, privateKey);
  const certificate = derSequence(toBeSigned, algorithm, bitString(signature));
  return {
    cert: writePem(certificate, "CERTIFICATE"),
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

/** The pair kept in `directory`, made at the first call. It is not renewed by itself (TL-05). */
export async function keepSelfSigned(
  directory: string,
  options: SelfSignedOptions,
): Promise<CertificateFiles> {
  const files = { certFile: join(directory, "cert.pem"), keyFile: join(directory, "key.pem") };
  try {
    await Promise.all([readFile(files.certFile), readFile(files.keyFile)]);
    return files;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { cert, key } = makeSelfSigned(options);
  // The certificate last: a crash in between leaves a key alone, which the next start replaces.
  await writeWhole(files.keyFile, key);
  await writeWhole(files.certFile, cert);
  return files;
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.tmp`, text, { mode: 0o600, flush: true });
  await rename(`${path}.tmp`, path);
}
