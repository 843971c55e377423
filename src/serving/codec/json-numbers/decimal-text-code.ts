import { type Expression, type Local, type NewLocal, type Statement, when } from '../wasm/assembler.js';
import { f64, i32, i64, v128 } from '../wasm/instructions.js';
import { bytesOfDigits, notZero, plusZero, ZERO } from './digits-code.js';
import { DIGITS } from './number-memory.js';

const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const SMALL_E = 0x65;
const EIGHT_DIGITS = 100_000_000;
/** A little less than 10^-8, so that no product with it is above the exact one. */
const EIGHT_DIGITS_DOWN = 1e-8 * (1 - 2 ** -50);
/** `0.000000`, the first byte lowest. */
const ZERO_AND_FRACTION = 0x3030_3030_3030_2e30n;
/** Powers of ten from 10^-5 to 10^21 are written without an exponent, as JavaScript does. */
const LEAST_POINT = -5;
const GREATEST_POINT = 21;

/**
 * Writes `digits * 10^decimal` (below 10^17 the digits) at `to`, which is moved behind it: without zeros at the end, with a fraction or
 * an exponent. Up to 32 bytes behind it are written over.
 */
export function writeDecimal(
  local: NewLocal,
  digits: Local<'i64'>,
  decimal: Local<'i32'>,
  to: Local<'i32'>,
): readonly Statement[] {
  const upper = local('i32');
  const middle = local('i32');
  const lower = local('i32');
  const over = local('i32');
  const bytes = local('v128');
  const written = local('i32');
  const first = local('i32');
  const count = local('i32');
  const point = local('i32');
  const rest = local('i32');
  return [
    // Seventeen digits: one, eight and eight.
    middle.set(i32.truncate(f64.mul(f64.convert(digits), EIGHT_DIGITS_DOWN))),
    lower.set(i32.wrap(i64.sub(digits, i64.mul(i64.extendU(middle), BigInt(EIGHT_DIGITS))))),
    over.set(i32.gtU(lower, EIGHT_DIGITS - 1)),
    lower.set(i32.sub(lower, i32.mul(over, EIGHT_DIGITS))),
    middle.set(i32.add(middle, over)),
    upper.set(i32.divU(middle, EIGHT_DIGITS)),
    middle.set(i32.sub(middle, i32.mul(upper, EIGHT_DIGITS))),
    ...bytesOfDigits(local, middle, lower, bytes),
    i32.store8(DIGITS, 0, i32.add(upper, ZERO)),
    v128.store(DIGITS + 1, 0, plusZero(bytes)),
    written.set(i32.or(i32.shl(notZero(bytes), 1), i32.ne(upper, 0))),
    when(
      i32.eqz(written),
      [i64.store(0, to, ZERO_AND_FRACTION), to.set(i32.add(to, 3))],
      [
        first.set(i32.ctz(written)),
        count.set(i32.sub(i32.sub(32, i32.clz(written)), first)),
        point.set(i32.add(i32.sub(17, first), decimal)),
        first.set(i32.add(first, DIGITS)),
        when(
          i32.leU(i32.sub(point, LEAST_POINT), GREATEST_POINT - LEAST_POINT),
          [
            when(
              i32.leS(point, 0),
              [
                i64.store(0, to, ZERO_AND_FRACTION),
                to.set(i32.sub(i32.add(to, 2), point)),
                ...copy32(to, first),
                to.set(i32.add(to, count)),
              ],
              [
                ...copy32(to, first),
                v128.store(1, i32.add(to, point), v128.load(0, i32.add(first, point))),
                i32.store8(0, i32.add(to, point), DOT),
                rest.set(i32.add(point, 1)),
                // The greater of both.
                rest.set(i32.add(rest, i32.and(i32.sub(count, rest), i32.sub(0, i32.gtS(count, rest))))),
                to.set(i32.add(i32.add(to, rest), 1)),
              ],
            ),
          ],
          [
            i32.store8(0, to, i32.load8(0, first)),
            i32.store8(1, to, DOT),
            v128.store(2, to, v128.load(1, first)),
            to.set(i32.add(to, i32.add(count, i32.gtU(count, 1)))),
            ...writeExponent(i32.sub(point, 1), point, rest, to),
          ],
        ),
      ],
    ),
  ];
}

/** The zeros behind the digits, too. */
function copy32(to: Expression<'i32'>, from: Expression<'i32'>): readonly Statement[] {
  return [v128.store(0, to, v128.load(0, from)), v128.store(16, to, v128.load(16, from))];
}

/** `e+21`, `e-7`, `e-308`. */
function writeExponent(
  exponent: Expression<'i32'>,
  rest: Local<'i32'>,
  digit: Local<'i32'>,
  to: Local<'i32'>,
): readonly Statement[] {
  const put = (value: Expression<'i32'>) => [i32.store8(0, to, i32.add(value, ZERO)), to.set(i32.add(to, 1))];
  return [
    rest.set(exponent),
    i32.store8(0, to, SMALL_E),
    i32.store8(1, to, PLUS),
    when(i32.ltS(rest, 0), [i32.store8(1, to, MINUS), rest.set(i32.sub(0, rest))]),
    to.set(i32.add(to, 2)),
    when(i32.gtU(rest, 9), [
      when(i32.gtU(rest, 99), [
        digit.set(i32.divU(rest, 100)),
        ...put(digit),
        rest.set(i32.sub(rest, i32.mul(digit, 100))),
      ]),
      digit.set(i32.divU(rest, 10)),
      ...put(digit),
      rest.set(i32.sub(rest, i32.mul(digit, 10))),
    ]),
    ...put(rest),
  ];
}
