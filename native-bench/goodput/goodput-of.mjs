/** The goodput out of runs at several rates. */

/** Share of all requests that must be in time. */
const SHARE = 0.99;

const byRate = (points) => [...points].sort((a, b) => a.offeredPerSecond - b.offeredPerSecond);
const does = ({ inTime, requests }) => inTime >= SHARE * requests;

/** The highest rate that did; 0 where none did. */
export function goodputOf(points) {
  return byRate(points).findLast(does)?.offeredPerSecond ?? 0;
}

/** The rate between the highest that did and the next that did not; 0 where there are none such. */
export function betweenRate(points) {
  const sorted = byRate(points);
  const at = sorted.findLastIndex(does);
  if (at < 0 || at === sorted.length - 1) return 0;
  return Math.sqrt(sorted[at].offeredPerSecond * sorted[at + 1].offeredPerSecond);
}
