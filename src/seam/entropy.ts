/** Randomness that must not repeat between processes: ids, epochs, tokens. */
export interface Entropy {
  bytes(count: number): Buffer;
}
