const bits = new DataView(new ArrayBuffer(4));

/** Numbers as FP16 (IEEE 754 half precision), rounded to the nearest, ties to even; beyond 65504 infinity. */
export function toFloat16(values: ArrayLike<number>): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = halfBits(values[i] as number);
  return out;
}

/** The numbers that FP16 elements are. Exact. */
export function fromFloat16(elements: Uint16Array): Float32Array {
  const out = new Float32Array(elements.length);
  for (let i = 0; i < out.length; i++) {
    const half = elements[i] as number;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 0x1f
          ? fraction === 0
            ? Number.POSITIVE_INFINITY
            : Number.NaN
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    out[i] = half & 0x8000 ? -size : size;
  }
  return out;
}

/** Numbers as BF16, rounded to the nearest, ties to even. */
export function toBfloat16(values: ArrayLike<number>): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    bits.setFloat32(0, values[i] as number);
    const single = bits.getUint32(0);
    const isNan = (single & 0x7fffffff) > 0x7f800000;
    // A NaN whose set bits are all in the half that goes must not become infinity.
    out[i] = isNan ? (single >>> 16) | 0x40 : (single + 0x7fff + ((single >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** The numbers that BF16 elements are. Exact. */
export function fromBfloat16(elements: Uint16Array): Float32Array {
  const out = new Uint32Array(elements.length);
  for (let i = 0; i < out.length; i++) out[i] = (elements[i] as number) << 16;
  return new Float32Array(out.buffer);
}

/** From the double at once: by way of a single it would be rounded twice. */
function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  // Half way between the largest FP16 and what would be the next one.
  if (size >= 65520) return sign | 0x7c00;
  // The distance of neighbours at this size; 2^-24 among the subnormal.
  const exponent = Math.max(-14, binaryExponent(size));
  const units = tiesToEven(size / 2 ** (exponent - 10));
  // A carry out of the fraction is the next exponent, as the bits have it.
  return sign | (units < 1024 ? units : ((exponent + 14) << 10) + units);
}

/** Floor of the binary logarithm of a number of FP16's range; -1023 for 0. */
function binaryExponent(size: number): number {
  bits.setFloat32(0, size);
  const exponent = (bits.getUint32(0) >>> 23) - 127;
  // To a single it may have been rounded up to the next power.
  return 2 ** exponent > size ? exponent - 1 : exponent;
}

function tiesToEven(value: number): number {
  const floor = Math.floor(value);
  const over = value - floor;
  return over > 0.5 || (over === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
