/** Sizes as etcd's tools print them. */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/** Powers of 1000; one decimal below ten. */
export function humanBytes(count: number): string {
  if (count < 10) return `${count} B`;
  const exponent = Math.min(Math.floor(Math.log10(count) / 3), UNITS.length - 1);
  const value = Math.floor((count / 1000 ** exponent) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : roundToEven(value)} ${UNITS[exponent]}`;
}

/** As Go prints a float without decimals: of two whole numbers as near, the even one. */
function roundToEven(value: number): number {
  const lower = Math.floor(value);
  if (value - lower !== 0.5) return Math.round(value);
  return lower % 2 === 0 ? lower : lower + 1;
}
