import type { SizeCost } from '../../core/index.js';

/** Executions after which a size is known by itself, and from which on it says something of its neighbours. */
const KNOWN = 8;
/** So often a size is taken to be as the line through its neighbours, if it seemed slower: it might have been an accident. */
const TRIES = 4;
/** The line is believed up to so many times the largest size that is known. */
const FAR = 2;

/**
 * The sizes of one class, ascending in rows, where those that were seen seldom are seen beside those that are known well: their
 * doubt is the others' spread, and until they had a few tries they are not slower than the others let expect. A size that
 * looks too slow is not run, so it could never be corrected.
 */
export function besideKnown(sizes: readonly SizeCost[]): SizeCost[] {
  const known = sizes.filter(({ weight }) => weight >= KNOWN);
  if (known.length < 2) return [...sizes];
  let spread = 0;
  let weights = 0;
  for (const { meanNs, upperNs, weight } of known) {
    spread += (upperNs / meanNs) * weight;
    weights += weight;
  }
  spread /= weights;
  return sizes.map((size) => {
    const { rows, weight } = size;
    if (weight >= KNOWN) return size;
    const expectedNs = weight < TRIES ? lineNs(known, rows) : Number.POSITIVE_INFINITY;
    const meanNs = Math.min(size.meanNs, expectedNs);
    return { rows, meanNs, upperNs: meanNs * spread, weight };
  });
}

/** On the line through the two known sizes nearest to `rows`; `Infinity` where that is too far to say. */
function lineNs(known: readonly SizeCost[], rows: number): number {
  let above = known.findIndex((size) => size.rows >= rows);
  if (above === -1) above = known.length - 1;
  const high = known[Math.max(above, 1)] as SizeCost;
  const low = known[Math.max(above, 1) - 1] as SizeCost;
  if (rows > high.rows * FAR || high.rows === low.rows) return Number.POSITIVE_INFINITY;
  const slope = Math.max((high.meanNs - low.meanNs) / (high.rows - low.rows), 0);
  return Math.max(low.meanNs + slope * (rows - low.rows), 0) || Number.POSITIVE_INFINITY;
}
