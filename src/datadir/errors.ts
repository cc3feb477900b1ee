/** A snapshot whose pages are whole, and whose rows no store can have. */
export class SnapshotRefused extends Error {
  readonly path: string;

  constructor(path: string, detail: string) {
    super(`snapshot file ${path} cannot be taken: ${detail}; take another snapshot`);
    this.name = "SnapshotRefused";
    this.path = path;
  }
}
