import { GREATEST_POWER, LEAST_POWER, lostInProduct, powerOfTen, restOfPowerOfTen } from './power-of-ten.js';

const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const E = 0x65;
const CAPITAL_E = 0x45;
/** From here another digit would make a mantissa of more than nine. */
const NINE_DIGITS = 1e8;
/** Powers of ten that a double holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
/** Exponents past this are all alike: beyond what any body's digits could make up for. */
const HUGE_EXPONENT = 1e12;
/** More than the error, relative to the number, of a product of doubles and a tail (3.1 * 2^-53). */
const SINGLE_MARGIN = 2 ** -50;
/** The same of the product of a head with a power of ten of 104 bits, and a tail (2^-75). */
const DOUBLE_MARGIN = 2 ** -70;

/**
 * Reads numbers of any length by JSON's grammar: the bits of `Number(text)`, or for FP32 of `Math.fround(Number(text))`. The first
 * nine digits make a head, up to eighteen more a tail below 10^-8 of it; what follows is below 10^-26. Head and tail are each
 * scaled by a power of ten. Where both ends of the interval around their sum that holds the number round alike, so does the
 * number; else, and for very great or small ones, `Number` decides.
 */
export class LongDecimal {
  /**
   * After `read`: finite, or Infinity where FP64 (or FP32, for `single`) cannot hold the number. In an array, since a double
   * that is returned or kept in a field costs an allocation.
   */
  readonly value = new Float64Array(1);
  #at = 0;

  /**
   * The number whose first digit is at `first`, where `at` is reached already: its digits so far are `head`, below 10^9, and
   * its fraction starts at `fraction` (0: none yet). Returns where it ends, -1 where it is malformed.
   */
  read(bytes: Uint8Array, first: number, at: number, head: number, fraction: number, single: boolean): number {
    let upper = 0;
    let upperDigits = 0;
    let lower = 0;
    let lowerDigits = 0;
    /** Digits behind the head: those of the tail, upper and lower, and any more. */
    let behind = 0;
    let digit = (bytes[at] as number) - ZERO;
    if (fraction !== 0 && head >= NINE_DIGITS) {
      // Mostly so: what follows is the tail. The loop below would do it too, slower.
      const tailAt = at;
      for (; digit >= 0 && digit <= 9 && at < tailAt + 9; digit = (bytes[++at] as number) - ZERO)
        upper = (Math.imul(upper, 10) + digit) | 0;
      upperDigits = at - tailAt;
      for (; digit >= 0 && digit <= 9 && at < tailAt + 18; digit = (bytes[++at] as number) - ZERO)
        lower = (Math.imul(lower, 10) + digit) | 0;
      behind = at - tailAt;
      lowerDigits = behind - upperDigits;
    }
    for (;;) {
      while (digit >= 0 && digit <= 9) {
        if (head < NINE_DIGITS) head = (Math.imul(head, 10) + digit) | 0;
        else {
          if (upperDigits < 9) {
            upper = (Math.imul(upper, 10) + digit) | 0;
            upperDigits++;
          } else if (lowerDigits < 9) {
            lower = (Math.imul(lower, 10) + digit) | 0;
            lowerDigits++;
          }
          behind++;
        }
        digit = (bytes[++at] as number) - ZERO;
      }
      if (fraction !== 0 || digit !== DOT - ZERO) break;
      fraction = ++at;
      digit = (bytes[at] as number) - ZERO;
    }
    this.#at = at;
    const whole = (fraction === 0 ? at : fraction - 1) - first;
    if (whole === 0 || (whole > 1 && bytes[first] === ZERO) || at === fraction) return -1;
    let exponent = behind - (fraction === 0 ? 0 : at - fraction);
    if (digit === E - ZERO || digit === CAPITAL_E - ZERO) {
      exponent += this.#exponent(bytes);
      if (Number.isNaN(exponent)) return -1;
    }
    this.value[0] = 0;
    if (head === 0) return this.#at;
    if (behind === 0 && exponent >= -22 && exponent <= 22) {
      // Both are exact: one rounding.
      const power = POWERS[Math.abs(exponent)] as number;
      this.value[0] = exponent < 0 ? head / power : head * power;
      return this.#at;
    }
    let value = Number.NaN;
    const tailExponent = exponent - upperDigits - lowerDigits;
    if (tailExponent >= LEAST_POWER && exponent <= GREATEST_POWER) {
      const tail = (upper * (POWERS[lowerDigits] as number) + lower) * powerOfTen(tailExponent);
      value = single ? asSingle(head, exponent, tail) : asDouble(head, exponent, tail);
    }
    if (Number.isNaN(value)) {
      value = Number(Buffer.from(bytes.buffer, bytes.byteOffset + first, this.#at - first).toString('latin1'));
    }
    this.value[0] = single ? Math.fround(value) : value;
    return this.#at;
  }

  /** The exponent that stands at `at`; NaN where it is malformed. */
  #exponent(bytes: Uint8Array): number {
    let at = this.#at + 1;
    const sign = bytes[at];
    if (sign === MINUS || sign === PLUS) at++;
    const first = at;
    let power = 0;
    for (; at < bytes.length; at++) {
      const digit = (bytes[at] as number) - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      if (power < HUGE_EXPONENT) power = power * 10 + digit;
    }
    this.#at = at;
    if (at === first) return Number.NaN;
    return sign === MINUS ? -power : power;
  }
}

/** `head * 10^exponent + tail` as an FP32; NaN where that does not decide. */
function asSingle(head: number, exponent: number, tail: number): number {
  const value = head * powerOfTen(exponent) + tail;
  const single = Math.fround(value * (1 - SINGLE_MARGIN));
  if (single === Math.fround(value * (1 + SINGLE_MARGIN))) return single;
  return Math.fround(asDouble(head, exponent, tail));
}

/** The same as a double. */
function asDouble(head: number, exponent: number, tail: number): number {
  const power = powerOfTen(exponent);
  const product = head * power;
  const rest = lostInProduct(head, power, product) + head * restOfPowerOfTen(exponent) + tail;
  const margin = product * DOUBLE_MARGIN;
  const value = product + (rest - margin);
  return value === product + (rest + margin) ? value : Number.NaN;
}
