/** Powers of ten of this range and their rests are normal doubles, and so are products with mantissas. */
export const LEAST_POWER = -270;
export const GREATEST_POWER = 280;

const SPLITTER = 2 ** 27 + 1;
const SIZE = GREATEST_POWER - LEAST_POWER + 1;
const nearest = new Float64Array(SIZE);
const rests = new Float64Array(SIZE);

/** The double nearest to `10^power`; a power outside the range is the caller's mistake. */
export function powerOfTen(power: number): number {
  const value = nearest[power - LEAST_POWER] as number;
  return value === 0 ? compute(power) : value;
}

/** `10^power - powerOfTen(power)`, for a power asked for before: both together are `10^power` to 104 bits or more. */
export function restOfPowerOfTen(power: number): number {
  return rests[power - LEAST_POWER] as number;
}

/** `a * b - product` where `product` is `a * b` rounded: what rounding took, exactly (Dekker). Both below 2^970. */
export function lostInProduct(a: number, b: number, product: number): number {
  // A bit more than half the bits of a double split one into two halves whose products are exact.
  let shifted = SPLITTER * a;
  const aHigh = shifted - (shifted - a);
  const aLow = a - aHigh;
  shifted = SPLITTER * b;
  const bHigh = shifted - (shifted - b);
  const bLow = b - bHigh;
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

function compute(power: number): number {
  const value = Number(`1e${power}`);
  nearest[power - LEAST_POWER] = value;
  rests[power - LEAST_POWER] = restOf(power, value);
  return value;
}

function restOf(power: number, value: number): number {
  if (power >= 0) return Number(10n ** BigInt(power) - BigInt(value));
  // As a fraction: value is an integer over 2^bits, 10^power one over 10^-power; 2^200 keeps the quotient's digits.
  let bits = 0;
  for (; !Number.isInteger(value); bits++) value *= 2;
  const divisor = 10n ** BigInt(-power);
  const quotient = (((1n << BigInt(bits)) - BigInt(value) * divisor) << 200n) / divisor;
  return (Number(quotient) / 2 ** 200) * 2 ** -bits;
}
