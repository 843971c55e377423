import { choose, type Expression, type Local, type NewLocal, type Operand, type Statement } from '../wasm/assembler.js';
import { i8x16, i16x8, i32, i32x4, i64, i64x2, v128 } from '../wasm/instructions.js';
import { DIGIT_LANES, LAST_LANES, PATTERNS } from './number-memory.js';

export const ZERO = 0x30;
/** Sixteen bytes less '0'. */
export function lessZero(text: Expression<'v128'>): Expression<'v128'> {
  return i8x16.sub(text, pattern('zero'));
}

/** Which of sixteen bytes are no digits, a bit each, the first the lowest. */
export function notDigits(text: Expression<'v128'>): Expression<'i32'> {
  // Digits become the least of signed bytes: machines compare those at once.
  return i8x16.bitmask(i8x16.gtS(i8x16.add(text, pattern('toLeast')), pattern('leastNine')));
}

/** Which of sixteen bytes are points. */
export function points(text: Expression<'v128'>): Expression<'i32'> {
  return i8x16.bitmask(i8x16.eq(text, pattern('point')));
}

/** Which of sixteen bytes are commas or closing brackets. */
export function endsAmong(text: Expression<'v128'>): Expression<'i32'> {
  return i8x16.bitmask(v128.or(i8x16.eq(text, pattern('comma')), i8x16.eq(text, pattern('closeArray'))));
}

/**
 * Whether a number of `length` digits before its point that starts with `first` is none: without a digit, or with a needless 0.
 */
export function malformedWhole(length: Expression<'i32'>, first: Expression<'i32'>): Expression<'i32'> {
  // Of no digits one less is more than anything; of several it is more than a first digit of 0.
  return i32.gtU(i32.sub(length, 1), i32.shl(i32.xor(first, ZERO), 5));
}

/** Of bytes less '0' the digits up to `end` but the byte at `point` (both below 16; equal: no point), right-aligned. */
export function withoutPoint(
  digits: Expression<'v128'>,
  point: Operand<'i32'>,
  end: Operand<'i32'>,
): Expression<'v128'> {
  const entry = i32.shl(i32.add(i32.shl(point, 4), end), 4);
  return i8x16.swizzle(digits, v128.load(DIGIT_LANES, entry));
}

/** The last `count` digits before an address, 0 to 16, right-aligned. */
export function digitsBefore(address: Expression<'i32'>, count: Operand<'i32'>): Expression<'v128'> {
  return v128.and(lessZero(v128.load(0, i32.sub(address, 16))), v128.load(LAST_LANES, count));
}

/** Makes one integer of sixteen digits. */
export function sixteenDigits(local: NewLocal, digits: Expression<'v128'>, to: Local<'i64'>): readonly Statement[] {
  const fours = local('v128');
  return [
    // Two bytes x + 256 y times 2561 are, in sixteen bits, x + 256 (10 x + y).
    fours.set(i32x4.dot(i16x8.shrU(i16x8.mul(digits, pattern('tens')), 8), pattern('hundreds'))),
    to.set(i64x2.first(i32x4.dot(i16x8.narrowU(fours, fours), pattern('tenThousands')))),
    to.set(i64.add(i64.mul(i64.and(to, 0xffff_ffffn), 100_000_000n), i64.shrU(to, 32n))),
  ];
}

/** Two numbers below 10^8 as sixteen bytes, a digit each. */
export function bytesOfDigits(
  local: NewLocal,
  upper: Local<'i32'>,
  lower: Local<'i32'>,
  to: Local<'v128'>,
): readonly Statement[] {
  const quotient = local('v128');
  const fours = (value: Local<'i32'>, thousands: Local<'i32'>) => [
    thousands.set(i32.divU(value, 10_000)),
    value.set(i32.sub(value, i32.mul(thousands, 10_000))),
  ];
  const upperFour = local('i32');
  const lowerFour = local('i32');
  const pair = (first: Local<'i32'>, second: Local<'i32'>) =>
    i64.or(i64.extendU(first), i64.shl(i64.extendU(second), 32n));
  return [
    ...fours(upper, upperFour),
    ...fours(lower, lowerFour),
    to.set(i64x2.withSecond(i64x2.splat(pair(upperFour, upper)), pair(lowerFour, lower))),
    quotient.set(i32x4.shrU(i32x4.mul(to, pattern('hundredths')), 19)),
    to.set(v128.or(quotient, i32x4.shl(i32x4.sub(to, i16x8.mul(quotient, pattern('hundred'))), 16))),
    quotient.set(i16x8.shrU(i16x8.mul(to, pattern('tenths')), 10)),
    to.set(v128.or(quotient, i16x8.shl(i16x8.sub(to, i16x8.mul(quotient, pattern('ten'))), 8))),
  ];
}

/** Which of sixteen bytes below 128 are not 0. */
export function notZero(bytes: Expression<'v128'>): Expression<'i32'> {
  return i8x16.bitmask(i8x16.add(bytes, pattern('notZero')));
}

/** Sixteen digits as text. */
export function plusZero(digits: Expression<'v128'>): Expression<'v128'> {
  return i8x16.add(digits, pattern('zero'));
}

/** The byte at an address less '0', as an unsigned number: above 9 where it is no digit. */
export function digitAt(address: Operand<'i32'>, offset = 0): Expression<'i32'> {
  return i32.sub(i32.load8(offset, address), ZERO);
}

/** `value * 10 + digit`, where `condition`; else `value`. */
export function appendedIf(
  condition: Operand<'i32'>,
  value: Expression<'i32'>,
  digit: Operand<'i32'>,
): Expression<'i32'> {
  return choose('i32', condition, i32.add(i32.mul(value, 10), digit), value);
}

/** Loaded, not constant: machines take a load, where a constant would be put together again each time. */
function pattern(name: keyof typeof PATTERNS): Expression<'v128'> {
  return v128.load(PATTERNS[name], 0);
}
