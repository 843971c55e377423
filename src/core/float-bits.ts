const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** The float32 of these bits. */
export function bitsToFloat(pattern: number): number {
  bits[0] = pattern;
  return word[0]!;
}

/** Rounds to the nearest bfloat16, ties to even; NaN stays NaN. */
export function numberToBfloat(value: number): number {
  word[0] = value;
  const pattern = bits[0]!;
  if (Number.isNaN(value)) return 0x7fc0;
  return ((pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Nearest IEEE 754 half, ties to even, from the double itself (a detour over single would round twice). */
export function numberToHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size || 2 ** -14)));
  // Math.log2 may be one off beside a power of two.
  const adjusted =
    size >= 2 ** (exponent + 1) ? exponent + 1 : size < 2 ** exponent && exponent > -14 ? exponent - 1 : exponent;
  const scaled = size / 2 ** (adjusted - 10);
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  // A subnormal has no hidden bit; a carry into the exponent is what the addition makes of it.
  return sign | (rounded + (adjusted === -14 ? 0 : (adjusted + 14) << 10));
}

/** A half's bits as a number. */
export function halfToNumber(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >> 10) & 0x1f;
  const fraction = pattern & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
