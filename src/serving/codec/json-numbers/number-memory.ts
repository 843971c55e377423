/**
 * Where things lie in the memory of the number code, in bytes: tables, then a window of text and one of values. Vectors are
 * loaded up to 16 bytes before and `BEHIND_TEXT` behind the text.
 */

/** Where the text was left, an i32. */
export const LEFT_AT = 0;
/** Greatest magnitudes of integers, two u64: of positive and of negative ones. */
export const GREATEST = 16;
/** Sixteen zeros and sixteen times 0xff: from `n` behind its start, a vector of which the last `n` lanes are set. */
export const LAST_LANES = 64;
/**
 * By how many bytes a number has behind its digits before the point what it is to be divided by, 32 doubles (1, 1, 10 to 10^22, all
 * exact); from 2^`NEGATIVE_DIVISORS` of them on the same for negative numbers.
 */
export const DIVISORS = 128;
export const GREATEST_EXACT_POWER = 22;
export const NEGATIVE_DIVISORS = 5;
/** 10^0 to 10^19 as u64. */
export const INTEGER_POWERS = 640;
/**
 * By where the point is and where the number ends (below 16; both the same where it has no point) which byte each lane takes, so
 * that its digits alone are left, to the right.
 */
export const DIGIT_LANES = 1024;
/** 5^-342 to 5^324: 128 bits each from the highest bit that is set, upper half first. */
export const POWERS_OF_FIVE = 5120;
export const LEAST_POWER = -342;
export const GREATEST_POWER = 324;
/** Vectors of one pattern over and over. */
export const PATTERNS = {
  zero: 15_872,
  point: 15_888,
  comma: 15_904,
  closeArray: 15_920,
  /** Added to digits it makes the least signed bytes of them: up to `leastNine`. */
  toLeast: 15_936,
  leastNine: 15_952,
  /** Factors that join digits by two, by four, by eight. */
  tens: 15_968,
  hundreds: 15_984,
  tenThousands: 16_000,
  /** Factors that part four digits, then two: quotients by 100 are those products over 2^19, by 10 over 2^10. */
  hundredths: 16_016,
  hundred: 16_032,
  tenths: 16_048,
  ten: 16_064,
  /** Added to bytes it sets the highest bit of those that are not 0. */
  notZero: 16_080,
} as const;
/** Sixteen bytes of digits behind one, and many zeros behind them. */
export const DIGITS = 16_128;
const PATTERN_BYTES = {
  zero: [0x30],
  point: [0x2e],
  comma: [0x2c],
  closeArray: [0x5d],
  toLeast: [0x50],
  leastNine: [0x89],
  tens: [1, 10],
  hundreds: [100, 0, 1, 0],
  tenThousands: [0x10, 0x27, 1, 0],
  hundredths: [0x7b, 0x14, 0, 0],
  hundred: [100, 0],
  tenths: [103, 0],
  ten: [10, 0],
  notZero: [0x7f],
} as const satisfies Record<keyof typeof PATTERNS, readonly number[]>;
export const VALUES = 16_384;
export const VALUES_BYTES = 65_536;
export const TEXT = VALUES + VALUES_BYTES + 64;
export const TEXT_BYTES = 65_536;
export const BEHIND_TEXT = 64;
/** The text may start up to 7 bytes behind `TEXT`. */
export const PAGES = Math.ceil((TEXT + 8 + TEXT_BYTES + BEHIND_TEXT) / 65_536);

/** Writes the tables. */
export function fillTables(memory: ArrayBuffer): void {
  const view = new DataView(memory);
  const bytes = new Uint8Array(memory);
  bytes.fill(0xff, LAST_LANES + 16, LAST_LANES + 32);
  for (let power = 0; power <= GREATEST_EXACT_POWER; power++) {
    view.setFloat64(DIVISORS + 8 * (power + 1), Number(`1e${power}`), true);
    view.setFloat64(DIVISORS + (8 << NEGATIVE_DIVISORS) + 8 * (power + 1), Number(`-1e${power}`), true);
  }
  view.setFloat64(DIVISORS, 1, true);
  view.setFloat64(DIVISORS + (8 << NEGATIVE_DIVISORS), -1, true);
  for (let power = 0; power <= 19; power++) view.setBigUint64(INTEGER_POWERS + 8 * power, 10n ** BigInt(power), true);
  for (let point = 0; point < 16; point++) {
    for (let end = point; end < 16; end++) {
      const lanes = bytes
        .subarray(DIGIT_LANES + 256 * point + 16 * end)
        .subarray(0, 16)
        .fill(0x80);
      let lane = 16;
      for (let at = end - 1; at >= 0; at--) if (at !== point) lanes[--lane] = at;
    }
  }
  bytes.fill(0x30, DIGITS, DIGITS + 128);
  for (const name in PATTERNS) {
    const pattern = PATTERN_BYTES[name as keyof typeof PATTERNS];
    for (let i = 0; i < 16; i++)
      bytes[PATTERNS[name as keyof typeof PATTERNS] + i] = pattern[i % pattern.length] as number;
  }
  fillPowersOfFive(new BigUint64Array(memory, POWERS_OF_FIVE, 2 * (GREATEST_POWER - LEAST_POWER + 1)));
}

/** Cut to 128 bits; those of -1 to -27 rounded up, as `eiselLemire` has them. */
function fillPowersOfFive(table: BigUint64Array): void {
  const put = (power: number, bits128: bigint) => {
    const at = 2 * (power - LEAST_POWER);
    table[at] = bits128 >> 64n;
    table[at + 1] = bits128 & 0xffff_ffff_ffff_ffffn;
  };
  let power5 = 1n;
  for (let power = 0; power <= -LEAST_POWER; power++) {
    // 152170 / 2^16 is log2(5) well enough up to here.
    const bits = BigInt((power * 152_170) >> 16) + 1n;
    if (power <= GREATEST_POWER) put(power, bits > 128n ? power5 >> (bits - 128n) : power5 << (128n - bits));
    if (power > 0) put(-power, (1n << (bits + 127n)) / power5 + (power <= 27 ? 1n : 0n));
    power5 *= 5n;
  }
}
