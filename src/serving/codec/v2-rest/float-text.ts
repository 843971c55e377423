import { digitsOf, writeAscii, writeDigits, writeEightDigits, writeInteger } from './integer-text.js';
import { GREATEST_POWER, LEAST_POWER, lostInProduct, powerOfTen, restOfPowerOfTen } from './power-of-ten.js';

/**
 * Floats as JSON text: the fewest digits that read back to the same bits (for FP32: by `Math.fround` of what a JSON reader
 * gives), the nearest of those; always with a fraction or an exponent, so that typed readers see a float. Written as ASCII
 * bytes into `out` at `at`; the caller has reserved `NUMBER_BYTES`; each function returns where it ended.
 *
 * A number is scaled by the power of ten that makes its unit in the last place 1 to 10. What reads back to it is then an
 * interval less than 10 wide: it holds a multiple of ten, or else the nearest integer has the fewest digits (R. Giulietti,
 * "The Schubfach way to render doubles"). Where that hangs on less than `MARGIN`, more than the error of our arithmetic, a slower
 * way decides.
 */

/** Most bytes one number takes. */
export const NUMBER_BYTES = 32;

const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const E = 0x65;
const EIGHT_DIGITS = 1e8;
const MARGIN = 1e-6;
/** What `shortest` gives where `MARGIN` is too little to tell. */
const UNDECIDED = -(2 ** 31);
/** Integers below are written as such: below 10^9 for FP32, 10^15 for FP64. */
const FP32_PLAIN = 1e9;
const FP64_PLAIN = 1e15;
/** Powers of ten from 10^-5 to 10^21 are written without an exponent, as JavaScript does. */
const LEAST_POINT = -5;
const GREATEST_POINT = 21;

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
/** Half a unit in the last place, scaled, by the unit's binary exponent from `LEAST_UNIT`. */
const LEAST_UNIT = -1074;
const halves = new Float64Array(2046);

/** `value` is an FP32, and finite. */
export function writeFloat32(out: Uint8Array, at: number, value: number): number {
  double[0] = value;
  const high = words[1] as number;
  // No branch: signs cannot be predicted.
  out[at] = MINUS;
  at += high >>> 31;
  value = Math.abs(value);
  if (value < FP32_PLAIN && value === Math.floor(value)) return writeAscii(out, writeDigits(out, at, value), '.0');
  const unit = Math.max(((high >>> 20) & 0x7ff) - 1046, -149);
  const exponent = decimalExponent(unit);
  const half = halfUnit(unit, exponent);
  // Below a power of two the next number is half as far.
  const below = ((high & 0xfffff) | (words[0] as number)) === 0 && unit > -149 ? half / 2 : half;
  const digits = shortest(value * powerOfTen(-exponent), below, half);
  if (digits !== UNDECIDED) return writeDecimal(out, at, digits, 0, 0, exponent);
  for (let count = 0; count < 8; count++) {
    const text = value.toExponential(count);
    if (Math.fround(Number(text)) === value) return writeAscii(out, at, text);
  }
  return writeAscii(out, at, value.toExponential(8));
}

/** `value` is finite. */
export function writeFloat64(out: Uint8Array, at: number, value: number): number {
  double[0] = value;
  const high = words[1] as number;
  // No branch: signs cannot be predicted.
  out[at] = MINUS;
  at += high >>> 31;
  value = Math.abs(value);
  if (value < FP64_PLAIN && value === Math.floor(value)) return writeAscii(out, writeInteger(out, at, value), '.0');
  const thousandths = value * 1000;
  if (thousandths < FP32_PLAIN && thousandths === Math.floor(thousandths) && thousandths / 1000 === value) {
    return writeDecimal(out, at, thousandths | 0, 0, 0, -3);
  }
  const unit = ((high >>> 20) & 0x7ff) - 1075;
  const exponent = decimalExponent(unit);
  if (exponent <= -GREATEST_POWER || exponent >= -LEAST_POWER) return writeAscii(out, at, `${value}`);
  const half = halfUnit(unit, exponent);
  const below = ((high & 0xfffff) | (words[0] as number)) === 0 ? half / 2 : half;
  const power = powerOfTen(-exponent);
  const product = value * power;
  const rest = lostInProduct(value, power, product) + value * restOfPowerOfTen(-exponent);
  // Sixteen or seventeen digits are too many for one double: the last eight are taken apart, with the fraction.
  let upper = Math.floor(product / EIGHT_DIGITS) | 0;
  let lower = shortest(product - upper * EIGHT_DIGITS + rest, below, half);
  if (lower === UNDECIDED)
    return writeAscii(out, at, Number.isInteger(value) && value < 1e21 ? `${value}.0` : `${value}`);
  if (lower >= EIGHT_DIGITS) {
    lower -= EIGHT_DIGITS;
    upper++;
  } else if (lower < 0) {
    lower += EIGHT_DIGITS;
    upper--;
  }
  if (lower === 0) return writeDecimal(out, at, upper, 0, 0, exponent + 8);
  return writeDecimal(out, at, upper, lower, 8, exponent);
}

/** The greatest power of ten that is not above `2^unit`. */
function decimalExponent(unit: number): number {
  return (unit * 315_653) >> 20;
}

function halfUnit(unit: number, exponent: number): number {
  const known = halves[unit - LEAST_UNIT] as number;
  if (known !== 0) return known;
  const half = 2 ** (unit - 1) * powerOfTen(-exponent);
  halves[unit - LEAST_UNIT] = half;
  return half;
}

/** The integer with the fewest digits from `scaled - below` to `scaled + above` (below 2^31), or `UNDECIDED`. */
function shortest(scaled: number, below: number, above: number): number {
  const top = scaled + above;
  const tens = Math.floor(top / 10) * 10;
  const gap = top - tens;
  const width = below + above;
  if (gap < MARGIN || gap > 10 - MARGIN) return UNDECIDED;
  if (gap < width - MARGIN) return tens | 0;
  if (gap < width + MARGIN) return UNDECIDED;
  const nearest = Math.floor(scaled + 0.5);
  const off = nearest - scaled;
  const limit = 0.5 - MARGIN;
  return off > limit || -off > limit || off > above - MARGIN || -off > below - MARGIN ? UNDECIDED : nearest | 0;
}

/** `upper * 10^exponent`, or where `lowerDigits` is 8 `(upper * 10^8 + lower) * 10^exponent`, without trailing zeros. */
function writeDecimal(
  out: Uint8Array,
  at: number,
  upper: number,
  lower: number,
  lowerDigits: 0 | 8,
  exponent: number,
): number {
  /** Digits before the decimal point. */
  const point = digitsOf(upper) + lowerDigits + exponent;
  const plain = point >= LEAST_POINT && point <= GREATEST_POINT;
  // Where the point comes between digits, those before it move to the left.
  const first = plain && point <= 0 ? at + 2 - point : at + 1;
  let end = writeDigits(out, first, upper);
  if (lowerDigits === 8) end = writeEightDigits(out, end, lower);
  while (out[end - 1] === ZERO) end--;
  if (!plain) return writeExponent(out, at, end, point - 1);
  if (point <= 0) {
    out[at] = ZERO;
    out[at + 1] = DOT;
    for (let i = at + 2; i < first; i++) out[i] = ZERO;
    return end;
  }
  for (let i = at; i < at + point; i++) out[i] = i < end - 1 ? (out[i + 1] as number) : ZERO;
  out[at + point] = DOT;
  if (end > at + point + 1) return end;
  out[at + point + 1] = ZERO;
  return at + point + 2;
}

/** Makes of the digits from `at + 1` to `end` a number with one digit before the point and an exponent. */
function writeExponent(out: Uint8Array, at: number, end: number, exponent: number): number {
  out[at] = out[at + 1] as number;
  out[at + 1] = DOT;
  if (end === at + 2) end--;
  out[end++] = E;
  out[end++] = exponent < 0 ? MINUS : PLUS;
  return writeDigits(out, end, Math.abs(exponent));
}
