/** How far the sum of a distribution may be from 1. */
const SUM_TOLERANCE = 1e-3;

/** Whether the elements from `from` to before `to` are a distribution: two or more, none negative, their sum 1 within 1e-3. */
export function isDistribution(values: ArrayLike<number>, from = 0, to = values.length): boolean {
  if (to - from < 2) return false;
  let sum = 0;
  for (let i = from; i < to; i++) {
    const value = values[i] as number;
    if (!(value >= 0)) return false;
    sum += value;
  }
  return Math.abs(sum - 1) <= SUM_TOLERANCE;
}

/** Half the sum of the differences of two rows: 0 where they are the same distribution, 1 where they share nothing. */
export function totalVariation(a: ArrayLike<number>, b: ArrayLike<number>, from = 0, to = a.length): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += Math.abs((a[i] as number) - (b[i] as number));
  return sum / 2;
}
