/**
 * The bins of every latency sketch: DDSketch with the logarithmic mapping (Masson, Rim, Lee 2019), in seconds. A value of a bin
 * is told by `sketchValueS` with a relative error of at most `RELATIVE_ACCURACY`, from 1 us to 1 h; what lies below is
 * counted in the lowest bin, what lies above in the highest.
 */
export const RELATIVE_ACCURACY = 0.01;

const MANTISSA = (2 * RELATIVE_ACCURACY) / (1 - RELATIVE_ACCURACY);
/** Upper bound of a bin by that of the one below. */
export const GAMMA = 1 + MANTISSA;
const MULTIPLIER = Math.LN2 / Math.log1p(MANTISSA);

const LOWEST_S = 1e-6;
const HIGHEST_S = 3600;

/** Keys of DDSketch for the lowest and the highest bin: bin `i` has key `FIRST_KEY + i` and ends at `GAMMA ** key` seconds. */
export const FIRST_KEY = Math.ceil(Math.log2(LOWEST_S) * MULTIPLIER);
const LAST_KEY = Math.ceil(Math.log2(HIGHEST_S) * MULTIPLIER);
export const SKETCH_BINS = LAST_KEY - FIRST_KEY + 1;

/** The value that stands for all of a bin, in seconds. */
export function sketchValueS(bin: number): number {
  return 2 ** ((FIRST_KEY + bin) / MULTIPLIER) * (2 / (1 + GAMMA));
}

/** Upper bound of a bin in seconds; values equal to it are in it. */
export function sketchBoundS(bin: number): number {
  return 2 ** ((FIRST_KEY + bin) / MULTIPLIER);
}

/** Upper bounds in nanoseconds. */
const BOUNDS = Float64Array.from({ length: SKETCH_BINS }, (_, bin) => sketchBoundS(bin) * 1e9);
const LOWEST_NS = BOUNDS[0] as number;
const HIGHEST_NS = BOUNDS[SKETCH_BINS - 2] as number;

// A double's exponent and the first bits of its fraction, as one whole number: 64 steps an octave, each no wider than a bin.
const NUMBER = new Float64Array(1);
const WORDS = new Uint32Array(NUMBER.buffer);
const HIGH_WORD = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;
const STEP_BITS = 14;

function stepOf(ns: number): number {
  NUMBER[0] = ns;
  return (WORDS[HIGH_WORD] as number) >>> STEP_BITS;
}

const FIRST_STEP = stepOf(LOWEST_NS);
/** The first bin that a number of each step can lie in: at most two more are left to try. */
const FIRST_BINS = Uint16Array.from({ length: stepOf(HIGHEST_NS) - FIRST_STEP + 1 }, (_, step) => {
  WORDS[HIGH_WORD] = (FIRST_STEP + step) << STEP_BITS;
  WORDS[1 - HIGH_WORD] = 0;
  const least = NUMBER[0] as number;
  const bin = BOUNDS.findIndex((bound) => least <= bound);
  return bin === -1 ? SKETCH_BINS - 1 : bin;
});

/** Counts one duration in the bins that start at `at`. What is no duration (negative, NaN) counts in the lowest bin. */
export function observeInSketch(slots: Float64Array, at: number, durationNs: number): void {
  let bin = 0;
  if (durationNs > HIGHEST_NS) bin = SKETCH_BINS - 1;
  else if (durationNs > LOWEST_NS) {
    bin = FIRST_BINS[stepOf(durationNs) - FIRST_STEP] as number;
    while (durationNs > (BOUNDS[bin] as number)) bin++;
  }
  (slots[at + bin] as number)++;
}
