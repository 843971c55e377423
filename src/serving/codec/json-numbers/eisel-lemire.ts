import {
  block,
  branch,
  branchIf,
  type Expression,
  type Local,
  type NewLocal,
  type Statement,
  when,
} from '../wasm/assembler.js';
import { i32, i64 } from '../wasm/instructions.js';
import { LEAST_POWER, POWERS_OF_FIVE } from './number-memory.js';
import { WideProduct } from './wide-product.js';

/** Bits of a product below the 55 that its mantissa, two more for rounding, may need. */
const BELOW_MANTISSA = 0x1ffn;
/** What the exponent of a double is counted from, 63 for the product, less the 9 of `shift`. */
const BINARY_OFFSET = 1023n + 63n - 9n;
/** Digits times greater powers are above every double. */
const GREATEST_READ_POWER = 308;
const INFINITY_BITS = 0x7ff0_0000_0000_0000n;

/**
 * The bits of the double nearest to `digits * 10^exponent` (ties to even); where that is too large for one, bits not below
 * infinity's, as an unsigned number. Exact for every `digits` up to 2^64 - 1, which are changed. D. Lemire, "Number parsing at a
 * gigabyte per second"; N. Mushtak and D. Lemire, "Fast number parsing without fallback".
 */
export function eiselLemire(
  local: NewLocal,
  digits: Local<'i64'>,
  exponent: Local<'i32'>,
  bits: Local<'i64'>,
): readonly Statement[] {
  const zeros = local('i64');
  const entry = local('i32');
  const upper = local('i64');
  const lower = local('i64');
  const carry = local('i64');
  const unused = local('i64');
  const shift = local('i64');
  const binary = local('i32');
  const product = new WideProduct(local);
  return [
    block((done) => [
      bits.set(0n),
      branchIf(i64.eqz(digits), done),
      entry.set(i32.sub(exponent, LEAST_POWER)),
      when(i32.gtU(entry, GREATEST_READ_POWER - LEAST_POWER), [
        when(i32.gtS(exponent, 0), [bits.set(INFINITY_BITS)]),
        branch(done),
      ]),
      zeros.set(i64.clz(digits)),
      digits.set(i64.shl(digits, zeros)),
      entry.set(i32.shl(entry, 4)),
      product.of(digits, i64.load(POWERS_OF_FIVE, entry), upper, lower),
      when(i64.eq(i64.and(upper, BELOW_MANTISSA), BELOW_MANTISSA), [
        // What was cut from the power of five may carry into the mantissa.
        product.of(digits, i64.load(POWERS_OF_FIVE + 8, entry), carry, unused),
        lower.set(i64.add(lower, carry)),
        upper.set(i64.add(upper, i64.extendU(i64.gtU(carry, lower)))),
      ]),
      shift.set(i64.add(i64.shrU(upper, 63n), 9n)),
      bits.set(i64.shrU(upper, shift)),
      // 217706 / 2^16 is log2(10) well enough.
      binary.set(
        i32.add(i32.shrS(i32.mul(exponent, 217_706), 16), i32.wrap(i64.add(i64.sub(shift, zeros), BINARY_OFFSET))),
      ),
      when(i32.leS(binary, 0), [
        // Subnormal: its last bits go; a shift by more than 63 would be one by less.
        when(i32.leS(binary, -63), [bits.set(0n), branch(done)]),
        bits.set(i64.shrU(bits, i64.extendU(i32.sub(1, binary)))),
        // Rounded up to the least normal number its bits are that number's.
        bits.set(roundedHalf(bits)),
        branch(done),
      ]),
      when(i64.leU(lower, 1n), [
        // Half-way, exactly: to even, not up. Powers of other exponents are never that near.
        when(
          i32.and(
            i32.and(i64.eq(i64.and(bits, 3n), 1n), i64.eq(i64.shl(bits, shift), upper)),
            i32.and(i32.leS(-4, exponent), i32.leS(exponent, 23)),
          ),
          [bits.set(i64.and(bits, -2n))],
        ),
      ]),
      // The hidden bit counts as one to the exponent; so does what rounding carries.
      bits.set(i64.add(roundedHalf(bits), i64.shl(i64.extendU(i32.sub(binary, 1)), 52n))),
    ]),
  ];
}

function roundedHalf(bits: Expression<'i64'>): Expression<'i64'> {
  return i64.shrU(i64.add(bits, i64.and(bits, 1n)), 1n);
}
