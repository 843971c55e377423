/** Terms of Stirling's series: B(2k) / (2k (2k - 1)), DLMF 5.11.1. */
const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400];
const HALF_LOG_2_PI = 0.9189385332046728;

/** Above it the series is exact to the last bits. */
const LARGE = 10;

/** ln of the gamma function for x > 0, to a few units in the last place. */
export function logGamma(x: number): number {
  let shift = 1;
  let large = x;
  while (large < LARGE) shift *= large++;
  const inverse = 1 / large;
  const square = inverse * inverse;
  let series = 0;
  for (let i = STIRLING.length - 1; i >= 0; i--) series = series * square + (STIRLING[i] as number);
  return (large - 0.5) * Math.log(large) - large + HALF_LOG_2_PI + series * inverse - Math.log(shift);
}

/** ln of the beta function for a, b > 0. */
export function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}
