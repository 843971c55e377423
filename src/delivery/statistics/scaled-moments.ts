import type { ValueMoments } from './mean-evidence.js';

/** Moments of values in parts of their range: 0 at its beginning, 1 at its end. Sums of floats may stray; they are kept inside. */
export function scaledMoments(
  { count, sum, sumOfSquares }: ValueMoments,
  [from, to]: readonly [number, number],
): ValueMoments {
  const width = to - from;
  const scaled = Math.min(count, Math.max(0, (sum - count * from) / width));
  const squares = (sumOfSquares - 2 * from * sum + count * from * from) / (width * width);
  // No values between 0 and 1 have larger squares than themselves, or a smaller mean square than the square of their mean.
  const least = count === 0 ? 0 : (scaled * scaled) / count;
  return { count, sum: scaled, sumOfSquares: Math.min(scaled, Math.max(least, squares)) };
}
