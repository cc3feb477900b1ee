/** A certificate authority of a test, by the openssl tool. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./process.ts";

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

export interface Pair {
  readonly certFile: string;
  readonly keyFile: string;
}

export class Pki {
  readonly #directory = temporaryDirectory("pki");

  constructor() {
    const files = ["-keyout", "ca.key", "-out", "ca.pem"];
    this.#openssl("req", "-x509", ...KEY, "-days", "30", "-subj", "/CN=authority", ...files);
  }

  get caFile(): string {
    return join(this.#directory, "ca.pem");
  }

  /** Good for 127.0.0.1 and other addresses, as server and as client. */
  issue(commonName: string, addresses: readonly string[] = []): Pair {
    const files = ["-keyout", `${commonName}.key`, "-out", `${commonName}.csr`];
    this.#openssl("req", ...KEY, "-subj", `/CN=${commonName}`, ...files);
    const extensions = join(this.#directory, `${commonName}.ext`);
    const names = ["IP:127.0.0.1", "DNS:localhost", ...addresses.map((address) => `IP:${address}`)];
    writeFileSync(extensions, `subjectAltName=${names.join(",")}\n`);
    const [request, certificate] = [`${commonName}.csr`, `${commonName}.pem`];
    this.#openssl(
      ...["x509", "-req", "-in", request, "-CA", "ca.pem", "-CAkey", "ca.key"],
      ...["-CAcreateserial", "-days", "30", "-extfile", extensions, "-out", certificate],
    );
    return {
      certFile: join(this.#directory, certificate),
      keyFile: join(this.#directory, `${commonName}.key`),
    };
  }

  #openssl(...parts: string[]): void {
    execFileSync("openssl", parts, { cwd: this.#directory, stdio: "pipe" });
  }
}
