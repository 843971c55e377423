import {
  type AssembledFunction,
  block,
  branch,
  branchIf,
  choose,
  type Expression,
  exported,
  type Local,
  loop,
  type Operand,
  type Statement,
  when,
} from '../wasm/assembler.js';
import { f64, i32, i64, storeAsSingle, v128 } from '../wasm/instructions.js';
import {
  appendedIf,
  digitAt,
  digitsBefore,
  lessZero,
  malformedWhole,
  notDigits,
  points,
  sixteenDigits,
  withoutPoint,
  ZERO,
} from './digits-code.js';
import { eiselLemire } from './eisel-lemire.js';
import { type ElementCode, elementLoop, LOOP_PARAMETERS } from './element-loop.js';
import { DIVISORS, GREATEST_EXACT_POWER, INTEGER_POWERS, NEGATIVE_DIVISORS } from './number-memory.js';

const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const SMALL_E = 0x65;
const INFINITY_BITS = 0x7ff0_0000_0000_0000n;
/** From here on `Math.fround` gives infinity. */
const SINGLE_LIMIT_BITS = 0x47ef_ffff_f000_0000n;

/**
 * `readFloats(at, rows, rowLength, valueBytes, comma)`: `elementLoop` of JSON numbers, as FP64 or FP32 by `valueBytes`: the bits of
 * `Number(text)`, for FP32 of `Math.fround` of it. Stops before numbers too large for the type.
 */
export function readFloats(): AssembledFunction {
  return exported('readFloats', LOOP_PARAMETERS, (local, ...parameters) => {
    const [, , , valueBytes] = parameters;
    return elementLoop(local, parameters, (code) => floatElement(code, i32.eq(valueBytes, 4)));
  });
}

/**
 * One number. Where its point is and where it ends is told by bits of sixteen bytes at once, without a branch: neither can be
 * predicted. The first byte that is no digit is the point, perhaps; the next one ends it.
 */
function floatElement(element: ElementCode, single: Expression<'i32'>): readonly Statement[] {
  const { local, negative, start, expected, end, to, stop } = element;
  const parts: Parts = {
    text: local('v128'),
    point: local('i32'),
    length: local('i32'),
    mantissa: local('i64'),
    exponent: local('i32'),
    more: local('i32'),
  };
  const { text, point, length, mantissa, exponent, more } = parts;
  const behind = local('i32');
  const value = local('f64');
  const bits = local('i64');
  const nextBits = local('i64');
  const limit = choose('i64', single, SINGLE_LIMIT_BITS, INFINITY_BITS);
  const divisor = (place: Operand<'i32'>) =>
    f64.load(DIVISORS, i32.shl(i32.add(place, i32.shl(negative, NEGATIVE_DIVISORS)), 3));
  return [
    block((valued) => [
      block((wide) => [
        block((unusual) => [
          block((isLong) => [
            text.set(v128.load(0, start)),
            ...locate(parts, notDigits(text), points(text)),
            branchIf(malformedWhole(point, i32.load8(0, start)), stop),
            branchIf(i32.gtU(length, 15), isLong),
            end.set(i32.add(start, length)),
            behind.set(i32.sub(length, point)),
            branchIf(i32.eq(behind, 1), stop),
            ...sixteenDigits(local, withoutPoint(lessZero(text), point, length), mantissa),
            branchIf(i32.ne(end, expected), unusual),
            // At most fifteen digits over one power of ten: exact both, one rounding (Clinger).
            value.set(f64.div(f64.convert(mantissa), divisor(behind))),
            branch(valued),
          ]),
          ...longDigits(element, parts),
          branchIf(i32.eq(end, expected), wide),
        ]),
        when(i32.leU(length, 15), [more.set(0), exponent.set(i32.sub(i32.ne(behind, 0), behind))]),
        when(i32.eq(i32.or(i32.load8(0, end), 0x20), SMALL_E), readExponent(element, exponent)),
        when(i32.and(i32.leU(length, 15), i32.leU(i32.add(exponent, GREATEST_EXACT_POWER), 2 * GREATEST_EXACT_POWER)), [
          // One of both powers is 1, so that this rounds once too; without a branch, which the sign of an exponent would be.
          behind.set(i32.shrS(exponent, 31)),
          value.set(
            f64.div(
              f64.mul(f64.convert(mantissa), exactPower(i32.and(exponent, i32.xor(behind, -1)))),
              divisor(i32.add(i32.and(i32.sub(0, exponent), behind), 1)),
            ),
          ),
          branch(valued),
        ]),
      ]),
      when(more, [bits.set(i64.add(mantissa, 1n)), ...eiselLemire(local, bits, exponent, nextBits)]),
      ...eiselLemire(local, mantissa, exponent, bits),
      branchIf(i32.and(more, i64.ne(bits, nextBits)), stop),
      branchIf(i64.geU(bits, limit), stop),
      value.set(f64.reinterpret(i64.or(bits, i64.shl(i64.extendU(negative), 63n)))),
    ]),
    when(single, [storeAsSingle(0, to, value)], [f64.store(0, to, value)]),
  ];
}

interface Parts {
  readonly text: Local<'v128'>;
  /** From the start to the point, or to the end where there is none; and to the end. */
  readonly point: Local<'i32'>;
  readonly length: Local<'i32'>;
  /** The number is `mantissa * 10^exponent`; where there are `more` digits, it is above that, and below one mantissa more. */
  readonly mantissa: Local<'i64'>;
  readonly exponent: Local<'i32'>;
  readonly more: Local<'i32'>;
}

/** `point` and `length` from bits: `length` is 32 where the end is not among them. */
function locate(
  { point, length }: Parts,
  notDigit: Expression<'i32'>,
  isPoint: Expression<'i32'>,
): readonly Statement[] {
  return [
    length.set(notDigit),
    point.set(i32.ctz(length)),
    length.set(i32.ctz(i32.xor(length, i32.and(i32.and(length, i32.sub(0, length)), isPoint)))),
  ];
}

/** Digits of numbers of more than fifteen bytes: mostly a fraction, the last sixteen digits of which are taken at once. */
function longDigits(element: ElementCode, parts: Parts): readonly Statement[] {
  const { local, start, end, stop } = element;
  const { text, point, length, mantissa, exponent, more } = parts;
  const following = local('v128');
  const upper = local('i64');
  const cut = local('i32');
  const lower = local('i32');
  return [
    more.set(0),
    block((read) => [
      block((isLonger) => [
        following.set(v128.load(16, start)),
        ...locate(
          parts,
          i32.or(notDigits(text), i32.shl(notDigits(following), 16)),
          i32.or(points(text), i32.shl(points(following), 16)),
        ),
        branchIf(i32.or(i32.gtU(point, 15), i32.gtU(length, 31)), isLonger),
        exponent.set(i32.sub(i32.add(point, 1), length)),
        branchIf(i32.eqz(exponent), stop),
        // Without a branch, nor `choose`, which may become one: `cut` is the end less 16 where that is behind the point.
        cut.set(i32.sub(-16, exponent)),
        lower.set(i32.add(16, i32.and(cut, i32.shrS(cut, 31)))),
        cut.set(i32.add(point, i32.and(i32.add(cut, 1), i32.shrS(i32.xor(cut, -1), 31)))),
        ...sixteenDigits(local, withoutPoint(lessZero(text), point, cut), upper),
        // Together they are to be below 10^19.
        branchIf(i64.geU(upper, integerPower(i32.sub(19, lower))), isLonger),
        end.set(i32.add(start, length)),
        ...sixteenDigits(local, digitsBefore(end, lower), mantissa),
        mantissa.set(i64.add(mantissa, i64.mul(upper, integerPower(lower)))),
        branch(read),
      ]),
      ...anyDigits(element, parts),
    ]),
  ];
}

function exactPower(power: Operand<'i32'>): Expression<'f64'> {
  return f64.load(DIVISORS + 8, i32.shl(power, 3));
}

function integerPower(power: Operand<'i32'>): Expression<'i64'> {
  return i64.load(INTEGER_POWERS, i32.shl(power, 3));
}

/** Digits of any number, with a point or without: the first nineteen from the first that is not 0, and whether there are `more`. */
function anyDigits(
  { local, start, expected, end, stop }: ElementCode,
  { mantissa, exponent, more }: Parts,
): readonly Statement[] {
  const digit = local('i32');
  const fraction = local('i32');
  const first = local('i32');
  return [
    // Longer than one looks ahead: that no end was found is no end.
    expected.set(0),
    end.set(start),
    mantissa.set(0n),
    exponent.set(0),
    fraction.set(0),
    first.set(end),
    loop((again) => [
      block((noDigit) => [
        digit.set(digitAt(end)),
        branchIf(i32.gtU(digit, 9), noDigit),
        when(
          // Another digit fits in 64 bits.
          i64.ltU(mantissa, 1_000_000_000_000_000_000n),
          [
            mantissa.set(i64.add(i64.mul(mantissa, 10n), i64.extendU(digit))),
            exponent.set(i32.sub(exponent, fraction)),
          ],
          [more.set(1), exponent.set(i32.add(exponent, i32.sub(1, fraction)))],
        ),
        end.set(i32.add(end, 1)),
        branch(again),
      ]),
      branchIf(i32.eq(first, end), stop),
      when(i32.and(i32.eqz(fraction), i32.eq(digit, DOT - ZERO)), [
        fraction.set(1),
        end.set(i32.add(end, 1)),
        first.set(end),
        branch(again),
      ]),
    ]),
  ];
}

/** An exponent of up to three digits, added to `exponent`. */
function readExponent({ local, end, stop }: ElementCode, exponent: Local<'i32'>): readonly Statement[] {
  const sign = local('i32');
  const value = local('i32');
  const second = local('i32');
  const third = local('i32');
  return [
    sign.set(i32.load8(1, end)),
    end.set(i32.add(end, i32.add(1, i32.or(i32.eq(sign, MINUS), i32.eq(sign, PLUS))))),
    value.set(digitAt(end)),
    branchIf(i32.gtU(value, 9), stop),
    second.set(i32.leU(digitAt(end, 1), 9)),
    third.set(i32.and(second, i32.leU(digitAt(end, 2), 9))),
    value.set(appendedIf(second, value, digitAt(end, 1))),
    value.set(appendedIf(third, value, digitAt(end, 2))),
    end.set(i32.add(i32.add(end, 1), i32.add(second, third))),
    exponent.set(i32.add(exponent, i32.mul(value, i32.sub(1, i32.shl(i32.eq(sign, MINUS), 1))))),
  ];
}
