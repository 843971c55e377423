/** Integers as decimal text, written as ASCII bytes into `out` at `at`; each function returns where it ended. */

const MINUS = 0x2d;
const ZERO = 0x30;
const TWO_32 = 2 ** 32;
const EIGHT_DIGITS = 1e8;
/** The two digits of each number below 100. */
const PAIRS = Uint8Array.from({ length: 200 }, (_, i) => ZERO + (i % 2 === 0 ? Math.floor(i / 20) : (i >> 1) % 10));

/** An integer below 2^53, of either sign. */
export function writeInteger(out: Uint8Array, at: number, value: number): number {
  if (value < 0) {
    out[at++] = MINUS;
    value = -value;
  }
  if (value < EIGHT_DIGITS) return writeDigits(out, at, value);
  const upper = Math.floor(value / EIGHT_DIGITS);
  return writeEightDigits(out, writeDigits(out, at, upper), value - upper * EIGHT_DIGITS);
}

/** A 64-bit integer from its words; `high` is negative where the integer is. */
export function writeInteger64(out: Uint8Array, at: number, high: number, low: number): number {
  const value = high * TWO_32 + low;
  if (Number.isSafeInteger(value)) return writeInteger(out, at, value);
  return writeAscii(out, at, `${(BigInt(high) << 32n) | BigInt(low)}`);
}

/** Text of ASCII characters only. */
export function writeAscii(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i);
  return at;
}

/** An integer from 0 below 2^31 without leading zeros. */
export function writeDigits(out: Uint8Array, at: number, value: number): number {
  // 32-bit integer arithmetic, which the compiler turns into multiplications.
  let rest = value | 0;
  const end = at + digitsOf(rest);
  let to = end;
  while (rest >= 100) {
    const next = (rest / 100) | 0;
    const pair = (rest - next * 100) << 1;
    out[--to] = PAIRS[pair + 1] as number;
    out[--to] = PAIRS[pair] as number;
    rest = next;
  }
  if (rest >= 10) {
    out[--to] = PAIRS[(rest << 1) + 1] as number;
    out[--to] = PAIRS[rest << 1] as number;
  } else out[--to] = ZERO + rest;
  return end;
}

/** An integer below 10^8 in eight digits. */
export function writeEightDigits(out: Uint8Array, at: number, value: number): number {
  const integer = value | 0;
  const upper = (integer / 10_000) | 0;
  writeFourDigits(out, at, upper);
  writeFourDigits(out, at + 4, integer - upper * 10_000);
  return at + 8;
}

function writeFourDigits(out: Uint8Array, at: number, value: number): void {
  const upper = (value / 100) | 0;
  const lower = value - upper * 100;
  out[at] = PAIRS[upper << 1] as number;
  out[at + 1] = PAIRS[(upper << 1) + 1] as number;
  out[at + 2] = PAIRS[lower << 1] as number;
  out[at + 3] = PAIRS[(lower << 1) + 1] as number;
}

/** How many digits an integer from 0 below 2^31 has. */
export function digitsOf(value: number): number {
  if (value < 1e5) return value < 100 ? (value < 10 ? 1 : 2) : value < 1000 ? 3 : value < 1e4 ? 4 : 5;
  return value < 1e7 ? (value < 1e6 ? 6 : 7) : value < 1e8 ? 8 : value < 1e9 ? 9 : 10;
}
