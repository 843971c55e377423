import {
  block,
  branch,
  branchIf,
  choose,
  type Expression,
  type Label,
  type Local,
  type NewLocal,
  type Statement,
  when,
} from '../wasm/assembler.js';
import { i32, i64 } from '../wasm/instructions.js';
import { LEAST_POWER, POWERS_OF_FIVE } from './number-memory.js';
import { WideProduct } from './wide-product.js';

/** A finite binary float: `mantissa * 2^binary`, negated where `negative` is 1. */
export interface FloatParts {
  readonly negative: Local<'i32'>;
  readonly mantissa: Local<'i64'>;
  readonly binary: Local<'i32'>;
  /** 1 where it is a power of two whose lower neighbour is half as far as the upper one. */
  readonly atPower: Local<'i32'>;
}

interface FloatFormat {
  readonly fractionBits: bigint;
  readonly greatestExponent: number;
  /** Of the least unit: what subnormal numbers count in. */
  readonly leastBinary: number;
}
export const FP32 = { fractionBits: 23n, greatestExponent: 0xff, leastBinary: -149 } as const satisfies FloatFormat;
export const FP64 = { fractionBits: 52n, greatestExponent: 0x7ff, leastBinary: -1074 } as const satisfies FloatFormat;
/** Integers of FP32 below are written digit for digit. */
const PLAIN = 1_000_000_000n;

/** The parts of a float from its bits; goes to `stop` with one that is not finite. */
export function takeApart(
  bits: Expression<'i64'>,
  { negative, mantissa, binary, atPower }: FloatParts,
  { fractionBits, greatestExponent, leastBinary }: FloatFormat,
  stop: Label,
): readonly Statement[] {
  const exponentBits = BigInt(31 - Math.clz32(greatestExponent + 1));
  return [
    mantissa.set(bits),
    negative.set(i32.wrap(i64.shrU(mantissa, fractionBits + exponentBits))),
    binary.set(i32.and(i32.wrap(i64.shrU(mantissa, fractionBits)), greatestExponent)),
    branchIf(i32.eq(binary, greatestExponent), stop),
    mantissa.set(i64.and(mantissa, (1n << fractionBits) - 1n)),
    atPower.set(i32.and(i64.eqz(mantissa), i32.gtU(binary, 1))),
    mantissa.set(i64.or(mantissa, i64.shl(i64.extendU(i32.ne(binary, 0)), fractionBits))),
    binary.set(i32.add(i32.sub(binary, i32.ne(binary, 0)), leastBinary)),
  ];
}

/**
 * The decimal with the fewest digits that reads back to a float, the nearest of those: `digits * 10^decimal`, zeros at its end perhaps.
 * R. Giulietti, "The Schubfach way to render doubles": scaled so that the unit in the last place is 1 to 10, what reads back is an
 * interval that holds a multiple of ten, or else the integer nearest is shortest. Its ends and the float itself are kept in quarters,
 * their lowest bit set where anything is lost: so comparing them is exact.
 */
export function shortestDecimal(
  local: NewLocal,
  { mantissa, binary, atPower }: FloatParts,
  single: Expression<'i32'>,
  digits: Local<'i64'>,
  decimal: Local<'i32'>,
): readonly Statement[] {
  const shift = local('i64');
  const entry = local('i32');
  const upperPower = local('i64');
  const lowerPower = local('i64');
  const quarters = local('i64');
  const odd = local('i64');
  /** The scaled float, in words from the lowest, and what half a unit is of it; then the ends of the interval. */
  const [low, middle, high] = [local('i64'), local('i64'), local('i64')];
  const [halfLow, halfMiddle, halfHigh] = [local('i64'), local('i64'), local('i64')];
  const [lower, upper, center] = [local('i64'), local('i64'), local('i64')];
  const word = local('i64');
  const tens = local('i64');
  const below = local('i32');
  const above = local('i32');
  const product = new WideProduct(local);
  const half = (by: Expression<'i64'>) => [
    halfLow.set(i64.shl(lowerPower, by)),
    halfMiddle.set(i64.or(i64.shl(upperPower, by), i64.shrU(lowerPower, i64.sub(64n, by)))),
    halfHigh.set(i64.shrU(upperPower, i64.sub(64n, by))),
  ];
  /** Three words as one, its lowest bit set where the lower ones are not next to nothing. */
  const roundedToOdd = (whole: Expression<'i64'>, fraction: Expression<'i64'>) =>
    i64.or(whole, i64.extendU(i64.gtU(fraction, 1n)));
  return [
    block((done) => [
      decimal.set(0),
      digits.set(mantissa),
      branchIf(i64.eqz(mantissa), done),
      when(i32.leU(i32.sub(0, binary), Number(FP64.fractionBits)), [
        shift.set(i64.extendU(i32.sub(0, binary))),
        digits.set(i64.shrU(mantissa, shift)),
        branchIf(i64.eq(i64.shl(digits, shift), mantissa), done),
      ]),
      when(i32.and(single, i32.ltU(binary, 7)), [
        digits.set(i64.shl(mantissa, i64.extendU(binary))),
        branchIf(i64.ltU(digits, PLAIN), done),
      ]),
      // 1262611 / 2^22 is log10(2), 524031 / 2^22 log10(4/3), 1741647 / 2^19 log2(10): well enough.
      decimal.set(i32.shrS(i32.sub(i32.mul(binary, 1_262_611), i32.mul(atPower, 524_031)), 22)),
      shift.set(i64.extendU(i32.add(i32.add(binary, 1), i32.shrS(i32.mul(i32.sub(0, decimal), 1_741_647), 19)))),
      entry.set(i32.sub(-LEAST_POWER, decimal)),
      upperPower.set(i64.load(POWERS_OF_FIVE, i32.shl(entry, 4))),
      // Here powers are rounded up where they are not exact: those of the table are, from -27 to 55.
      lowerPower.set(
        i64.add(i64.load(POWERS_OF_FIVE + 8, i32.shl(entry, 4)), i64.extendU(i32.gtU(i32.sub(27, decimal), 27 + 55))),
      ),
      quarters.set(i64.shl(mantissa, i64.add(shift, 2n))),
      product.of(quarters, lowerPower, middle, low),
      product.of(quarters, upperPower, high, word),
      middle.set(i64.add(middle, word)),
      high.set(i64.add(high, i64.extendU(i64.ltU(middle, word)))),
      ...half(i64.add(shift, 1n)),
      word.set(i64.add(low, halfLow)),
      quarters.set(i64.extendU(i64.ltU(word, low))),
      word.set(i64.add(middle, halfMiddle)),
      upper.set(i64.add(i64.add(high, halfHigh), i64.extendU(i64.ltU(word, middle)))),
      quarters.set(i64.add(word, quarters)),
      upper.set(i64.add(upper, i64.extendU(i64.ltU(quarters, word)))),
      odd.set(i64.and(mantissa, 1n)),
      upper.set(i64.sub(roundedToOdd(upper, quarters), odd)),
      when(atPower, half(shift)),
      word.set(i64.sub(middle, halfMiddle)),
      lower.set(i64.sub(i64.sub(high, halfHigh), i64.extendU(i64.gtU(word, middle)))),
      quarters.set(i64.sub(word, i64.extendU(i64.ltU(low, halfLow)))),
      lower.set(i64.sub(lower, i64.extendU(i64.gtU(quarters, word)))),
      lower.set(i64.add(roundedToOdd(lower, quarters), odd)),
      center.set(roundedToOdd(high, middle)),
      digits.set(i64.shrU(center, 2n)),
      when(i64.geU(digits, 10n), [
        tens.set(i64.divU(digits, 10n)),
        quarters.set(i64.mul(tens, 40n)),
        below.set(i64.leU(lower, quarters)),
        above.set(i64.leU(i64.add(quarters, 40n), upper)),
        when(i32.ne(below, above), [
          digits.set(i64.add(tens, i64.extendU(above))),
          decimal.set(i32.add(decimal, 1)),
          branch(done),
        ]),
      ]),
      quarters.set(i64.shl(digits, 2n)),
      below.set(i64.leU(lower, quarters)),
      above.set(i64.leU(i64.add(quarters, 4n), upper)),
      // Where both its neighbours read back, or none does: the nearer, of two as near the even one.
      word.set(i64.add(quarters, i64.sub(2n, i64.and(digits, 1n)))),
      digits.set(i64.add(digits, i64.extendU(choose('i32', i32.ne(below, above), above, i64.gtU(center, word))))),
    ]),
  ];
}
