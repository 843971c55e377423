/** Seeded random numbers, so that a bench can be repeated (mulberry32: 32 bits of state, enough to spread load). */
export interface RandomSource {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Exponential with the given mean, in its unit. */
  exponential(mean: number): number;
  /** A whole number in [low, high]. */
  integer(low: number, high: number): number;
}

/** Makes a source; the same seed gives the same numbers. */
export function randomSource(seed: number): RandomSource {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    uniform,
    exponential: (mean) => -mean * Math.log(1 - uniform()),
    integer: (low, high) => low + Math.floor(uniform() * (high - low + 1)),
  };
}
