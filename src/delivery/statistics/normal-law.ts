/** Below it the series of erf is short, above it the continued fraction of erfc. */
const MIDDLE = 1.5;

/** Of the continued fraction: enough at `MIDDLE`. */
const DEPTH = 200;

/** Chance of more than `z` under the standard normal law, to some 14 digits of it. */
export function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  const x = z / Math.SQRT2;
  return x < MIDDLE ? (1 - erf(x)) / 2 : erfc(x) / 2;
}

/** The z that has more than itself with this chance, above 0 and at most 1/2. */
export function normalQuantile(tail: number): number {
  let [below, above] = [0, 40];
  for (;;) {
    const middle = (below + above) / 2;
    if (middle === below || middle === above) return middle;
    if (normalTail(middle) > tail) below = middle;
    else above = middle;
  }
}

/** DLMF 7.6.2: no term is negative, so nothing cancels. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** DLMF 7.9.2, from its far end. */
function erfc(x: number): number {
  let fraction = x;
  for (let k = DEPTH; k > 0; k--) fraction = x + k / 2 / fraction;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}
