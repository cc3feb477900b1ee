/** What a piece of the log says about itself beside etcd's fields, as JSON. */

export interface PieceNote {
  /** Of the cluster; "" = it had none. */
  readonly incarnation: string;
  /** Before the first entry. */
  readonly revision: number;
}

export function encodeNote({ incarnation, revision }: PieceNote): string {
  return JSON.stringify({ format: 1, incarnation, revision });
}

/** Undefined when it is none that this version knows. */
export function decodeNote(text: string): PieceNote | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { format, incarnation, revision } = value as Record<string, unknown>;
  if (format !== 1 || typeof incarnation !== "string") return undefined;
  if (typeof revision !== "number" || !Number.isSafeInteger(revision)) return undefined;
  return { incarnation, revision };
}
