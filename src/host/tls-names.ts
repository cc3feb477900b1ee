/** Go's names of cipher suites and protocol versions, which etcd's flags use, for OpenSSL. */
import { getCiphers, type SecureVersion } from "node:tls";
import { HostError } from "./host-error.ts";

const OPENSSL_BY_GO_NAME: Readonly<Record<string, string>> = {
  TLS_AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256",
  TLS_AES_256_GCM_SHA384: "TLS_AES_256_GCM_SHA384",
  TLS_CHACHA20_POLY1305_SHA256: "TLS_CHACHA20_POLY1305_SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: "ECDHE-ECDSA-CHACHA20-POLY1305",
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: "ECDHE-RSA-CHACHA20-POLY1305",
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: "ECDHE-ECDSA-AES128-SHA",
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: "ECDHE-ECDSA-AES256-SHA",
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: "ECDHE-ECDSA-AES128-SHA256",
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: "ECDHE-RSA-AES128-SHA",
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: "ECDHE-RSA-AES256-SHA",
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: "ECDHE-RSA-AES128-SHA256",
  TLS_RSA_WITH_AES_128_GCM_SHA256: "AES128-GCM-SHA256",
  TLS_RSA_WITH_AES_256_GCM_SHA384: "AES256-GCM-SHA384",
  TLS_RSA_WITH_AES_128_CBC_SHA: "AES128-SHA",
  TLS_RSA_WITH_AES_256_CBC_SHA: "AES256-SHA",
  TLS_RSA_WITH_AES_128_CBC_SHA256: "AES128-SHA256",
};

/**
 * OpenSSL's list for suites named as Go does; "" leaves the choice to OpenSSL. Throws HostError.
 */
export function opensslCiphers(goNames: readonly string[]): string {
  const available = new Set(getCiphers());
  const names = goNames.map((goName) => {
    const name = OPENSSL_BY_GO_NAME[goName];
    if (name === undefined || !available.has(name.toLowerCase())) {
      throw new HostError(
        `cipher suite "${goName}" is not available; known: ${Object.keys(OPENSSL_BY_GO_NAME).join(", ")}`,
      );
    }
    return name;
  });
  return names.join(":");
}

/** "TLS1.2" or "TLS1.3"; undefined for "". Throws HostError. */
export function tlsVersion(flag: string, name: string): SecureVersion | undefined {
  if (name === "") return undefined;
  if (name === "TLS1.2") return "TLSv1.2";
  if (name === "TLS1.3") return "TLSv1.3";
  throw new HostError(`--${flag}: unexpected TLS version "${name}" (one of: TLS1.2, TLS1.3)`);
}
