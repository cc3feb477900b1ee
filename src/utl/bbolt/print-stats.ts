/** Sums over the buckets of a bbolt file, as bbolt's own tool prints them. */
import type { BboltSurvey } from "../../snapshot/index.ts";

type Bucket = BboltSurvey["buckets"][number];

export function statsText(buckets: readonly Bucket[], pageBytes: number): string {
  const sum = (of: (bucket: Bucket) => number): number =>
    buckets.reduce((total, bucket) => total + of(bucket), 0);
  const branchPages = sum((one) => one.branchPages);
  const branchOverflow = sum((one) => one.branchOverflow);
  const branchAlloc = (branchPages + branchOverflow) * pageBytes;
  const branchBytes = sum((one) => one.branchBytes);
  const leafPages = sum((one) => one.leafPages);
  const leafOverflow = sum((one) => one.leafOverflow);
  const leafAlloc = (leafPages + leafOverflow) * pageBytes;
  const leafBytes = sum((one) => one.leafBytes);
  const inline = buckets.filter(({ isInline }) => isInline).length;
  const inlineBytes = sum((one) => one.inlineBytes);
  const depth = Math.max(0, ...buckets.map((one) => one.depth));
  return [
    `Aggregate statistics for ${buckets.length} buckets`,
    "",
    "Page count statistics",
    `\tNumber of logical branch pages: ${branchPages}`,
    `\tNumber of physical branch overflow pages: ${branchOverflow}`,
    `\tNumber of logical leaf pages: ${leafPages}`,
    `\tNumber of physical leaf overflow pages: ${leafOverflow}`,
    "Tree statistics",
    `\tNumber of keys/value pairs: ${sum((one) => one.rows)}`,
    `\tNumber of levels in B+tree: ${depth}`,
    "Page size utilization",
    `\tBytes allocated for physical branch pages: ${branchAlloc}`,
    `\tBytes actually used for branch data: ${withShare(branchBytes, branchAlloc)}`,
    `\tBytes allocated for physical leaf pages: ${leafAlloc}`,
    `\tBytes actually used for leaf data: ${withShare(leafBytes, leafAlloc)}`,
    "Bucket statistics",
    `\tTotal number of buckets: ${buckets.length}`,
    `\tTotal number on inlined buckets: ${withShare(inline, buckets.length)}`,
    `\tBytes used for inlined buckets: ${withShare(inlineBytes, leafBytes)}`,
    "",
  ].join("\n");
}

function withShare(part: number, whole: number): string {
  return `${part} (${whole === 0 ? 0 : Math.trunc((part * 100) / whole)}%)`;
}
