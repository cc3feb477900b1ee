/** A running cryptographic hash. */
export interface Digest {
  update(bytes: Uint8Array): void;
  digest(): Buffer;
}

export interface Digests {
  sha1(): Digest;
  sha256(): Digest;
}
