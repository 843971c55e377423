/**
 * Numbers as JSON text, written as ASCII bytes into `out` at `at`; each function returns where it ended. The caller has
 * reserved `NUMBER_BYTES`. All read back to the same bits (for FP32: `Math.fround` of what a JSON reader gives).
 */

/** Most bytes one number takes. */
export const NUMBER_BYTES = 32;

const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const E = 0x65;
const POWERS = Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
const TWO_32 = 2 ** 32;
const BILLION = 1e9;

/**
 * The shortest of 7 to 9 digits that reads back to this FP32 (9 always do), its trailing zeros left out; always with a
 * fraction or an exponent, so that typed readers see a float. `value` is finite.
 */
export function writeFloat32(out: Uint8Array, at: number, value: number): number {
  if (value < 0 || (value === 0 && 1 / value < 0)) {
    out[at++] = MINUS;
    value = -value;
  }
  if (value < BILLION && value === Math.floor(value)) return writeAscii(out, writeDigits(out, at, value), '.0');
  const power = decimalPower(value);
  for (let digits = 7; digits <= 9; digits++) {
    const scale = digits - 1 - power;
    if (scale < -22 || scale > 22) break;
    // Mantissa and power of ten are exact: the product or quotient is the double a reader makes of the text.
    const factor = POWERS[scale < 0 ? -scale : scale] as number;
    const mantissa = Math.floor((scale < 0 ? value / factor : value * factor) + 0.5);
    if (Math.fround(scale < 0 ? mantissa * factor : mantissa / factor) === value) {
      return writeDecimal(out, at, mantissa, -scale);
    }
  }
  for (let digits = 7; digits <= 9; digits++) {
    const text = value.toExponential(digits - 1);
    if (Math.fround(Number(text)) === value) return writeAscii(out, at, text);
  }
  return writeAscii(out, at, value.toExponential());
}

/** Exponent of the leading digit, off by one at most at a power of ten; most values are within a few steps of 1. */
function decimalPower(value: number): number {
  let power = 0;
  if (value >= 1) for (let bound = 10; value >= bound; bound *= 10) power++;
  else for (let bound = 1; value < bound; bound /= 10) power--;
  return power;
}

/** The shortest text that reads back to this double, with a fraction or an exponent. `value` is finite. */
export function writeFloat64(out: Uint8Array, at: number, value: number): number {
  if (value === 0) return writeAscii(out, at, 1 / value < 0 ? '-0.0' : '0.0');
  const end = writeAscii(out, at, `${value}`);
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? writeAscii(out, end, '.0') : end;
}

/** An integer of up to 32 bits. */
export function writeInteger(out: Uint8Array, at: number, value: number): number {
  if (value >= 0) return writeDigits(out, at, value);
  out[at] = MINUS;
  return writeDigits(out, at + 1, -value);
}

/** A 64-bit integer from its words; `high` is negative where the integer is. */
export function writeInteger64(out: Uint8Array, at: number, high: number, low: number): number {
  let value = high * TWO_32 + low;
  if (!Number.isSafeInteger(value)) return writeAscii(out, at, `${(BigInt(high) << 32n) | BigInt(low)}`);
  if (value < 0) {
    out[at++] = MINUS;
    value = -value;
  }
  if (value < BILLION) return writeDigits(out, at, value);
  const upper = Math.floor(value / BILLION);
  const middle = writeDigits(out, at, upper);
  let rest = value - upper * BILLION;
  for (let i = middle + 8; i >= middle; i--) {
    const next = (rest / 10) | 0;
    out[i] = ZERO + rest - next * 10;
    rest = next;
  }
  return middle + 9;
}

/** Text of ASCII characters only. */
export function writeAscii(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i);
  return at;
}

/** An integer from 0 below 2^32. */
function writeDigits(out: Uint8Array, at: number, value: number): number {
  if (value >= 2 ** 31) {
    const upper = Math.floor(value / 10);
    const end = writeDigits(out, at, upper);
    out[end] = ZERO + value - upper * 10;
    return end + 1;
  }
  // From here 32-bit integer arithmetic, which the compiler turns into multiplications.
  let rest = value | 0;
  const length =
    rest < 1e5
      ? rest < 100
        ? rest < 10
          ? 1
          : 2
        : rest < 1000
          ? 3
          : rest < 1e4
            ? 4
            : 5
      : rest < 1e7
        ? rest < 1e6
          ? 6
          : 7
        : rest < 1e8
          ? 8
          : rest < 1e9
            ? 9
            : 10;
  const end = at + length;
  for (let i = end - 1; i >= at; i--) {
    const next = (rest / 10) | 0;
    out[i] = ZERO + rest - next * 10;
    rest = next;
  }
  return end;
}

/** `mantissa * 10^exponent`, mantissa from 1 to 10^9, as plain decimal where that is short, else with an exponent. */
function writeDecimal(out: Uint8Array, at: number, mantissa: number, exponent: number): number {
  let significant = mantissa | 0;
  for (let next = (significant / 10) | 0; next * 10 === significant; next = (significant / 10) | 0) {
    significant = next;
    exponent++;
  }
  const digits = writeDigits(out, at, significant) - at;
  /** Digits before the decimal point. */
  const point = digits + exponent;
  if (exponent >= 0 && point <= 16) {
    for (let i = digits; i < point; i++) out[at + i] = ZERO;
    return writeAscii(out, at + point, '.0');
  }
  if (point > 0 && exponent < 0) {
    for (let i = at + digits; i > at + point; i--) out[i] = out[i - 1] as number;
    out[at + point] = DOT;
    return at + digits + 1;
  }
  if (point > -6 && exponent < 0) {
    const zeros = 2 - point;
    for (let i = at + digits - 1; i >= at; i--) out[i + zeros] = out[i] as number;
    for (let i = 0; i < zeros; i++) out[at + i] = ZERO;
    out[at + 1] = DOT;
    return at + zeros + digits;
  }
  let end = at + digits;
  if (digits > 1) {
    for (let i = at + digits; i > at + 1; i--) out[i] = out[i - 1] as number;
    out[at + 1] = DOT;
    end++;
  }
  out[end++] = E;
  return writeInteger(out, end, point - 1);
}
