/**
 * Spearman's rank correlation of two rows of the same length, at least 3: Pearson's of the ranks, equal values sharing the
 * mean of theirs. Two constant rows correlate fully (1), one beside another not at all (0), nor does a row with a NaN.
 * O(n log n).
 */
export function rankCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const ranksOfA = ranks(a);
  const ranksOfB = ranks(b);
  if (ranksOfA === undefined || ranksOfB === undefined) return 0;
  const mean = (a.length + 1) / 2;
  let product = 0;
  let squareOfA = 0;
  let squareOfB = 0;
  for (let i = 0; i < a.length; i++) {
    const fromA = (ranksOfA[i] as number) - mean;
    const fromB = (ranksOfB[i] as number) - mean;
    product += fromA * fromB;
    squareOfA += fromA * fromA;
    squareOfB += fromB * fromB;
  }
  if (squareOfA === 0 || squareOfB === 0) return squareOfA === squareOfB ? 1 : 0;
  return product / Math.sqrt(squareOfA * squareOfB);
}

/** Ranks from 1, means among equals; undefined where there is a NaN. */
function ranks(values: ArrayLike<number>): Float64Array | undefined {
  const sorted = Float64Array.from(values).sort();
  // NaN is sorted last.
  if (Number.isNaN(sorted[sorted.length - 1])) return undefined;
  const found = new Float64Array(sorted.length);
  for (let i = 0; i < found.length; i++) {
    const value = values[i] as number;
    found[i] = (placeOf(sorted, value, false) + placeOf(sorted, value, true) + 1) / 2;
  }
  return found;
}

/** How many of the sorted values are smaller than `value`, or not larger. */
function placeOf(sorted: Float64Array, value: number, withEquals: boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = sorted[middle] as number;
    if (at < value || (withEquals && at === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
