/**
 * Range answers in a form that two correct servers agree on. Sorting by anything but the key leaves
 * the order of equals open, and with a limit also which of the last equals are in the answer
 * (KV-04).
 */
import type * as m from "../harness/messages.ts";
import type { Part } from "../harness/proto.ts";

const TARGET = { KEY: 0, VERSION: 1, CREATE: 2, MOD: 3, VALUE: 4 } as const;

function sortValue(kv: m.KeyValue, target: number): string {
  switch (target) {
    case TARGET.VERSION:
      return kv.version.toString();
    case TARGET.CREATE:
      return kv.createRevision.toString();
    case TARGET.MOD:
      return kv.modRevision.toString();
    default:
      return kv.value.toString("latin1");
  }
}

/** Runs of equal sort value, in the order of the answer. */
function groups(
  kvs: readonly m.KeyValue[],
  target: number,
): { value: string; kvs: m.KeyValue[] }[] {
  const out: { value: string; kvs: m.KeyValue[] }[] = [];
  for (const kv of kvs) {
    const value = sortValue(kv, target);
    const last = out.at(-1);
    if (last?.value === value) last.kvs.push(kv);
    else out.push({ value, kvs: [kv] });
  }
  return out;
}

export function canonicalRange(request: Part<m.RangeRequest>, response: m.RangeResponse): unknown {
  const target = request.sortTarget ?? TARGET.KEY;
  let kvs: unknown[] = response.kvs;
  if (target !== TARGET.KEY) {
    const runs = groups(response.kvs, target);
    kvs = runs.flatMap(({ value, kvs }, i): unknown[] => {
      const isCutOff = response.more && i === runs.length - 1;
      if (isCutOff) return [`${kvs.length} of those with ${value}`];
      return kvs.toSorted((a, b) => Buffer.compare(a.key, b.key));
    });
  }
  return { ...response, kvs };
}

export function canonicalTxn(request: Part<m.TxnRequest>, response: m.TxnResponse): unknown {
  const branch = (response.succeeded ? request.success : request.failure) ?? [];
  const responses = response.responses.map((answer, i) => {
    const asked = branch[i];
    if (asked?.range !== undefined && answer.range !== undefined) {
      return { range: canonicalRange(asked.range, answer.range) };
    }
    if (asked?.txn !== undefined && answer.txn !== undefined) {
      return { txn: canonicalTxn(asked.txn, answer.txn) };
    }
    return answer;
  });
  return { ...response, responses };
}
