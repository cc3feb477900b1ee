/** What is wrong with a store as opposed to its disk, its space or the program. */
import { CorruptRecord, DamagedFile, DamagedTable } from "../backend/index.ts";
import { LostRecord, RecordsMissing } from "../mvcc/index.ts";

/** What stands in the store is not what was written; another member's store would do. */
export function isDamage(error: unknown): error is Error {
  return (
    error instanceof CorruptRecord ||
    error instanceof DamagedFile ||
    error instanceof DamagedTable ||
    error instanceof LostRecord ||
    error instanceof RecordsMissing
  );
}
