import { DATA_TYPES, type DataType } from '../../core/index.js';

/** xorshift32: the same seed gives the same numbers everywhere, so a failing warm-up fails again. */
function numbersFrom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/**
 * Random elements of a data type in the protocol's binary form. Floats lie in [0, 1) (16-bit ones in [0.5, 1)) and
 * integers in 0 to 127, where Triton takes any bits: no NaN, no denormals that would slow the run, few indices out of
 * range. BYTES: empty strings, as Triton.
 */
export function randomElements(dataType: DataType, elements: number, seed: number): Uint8Array {
  const { elementBytes } = DATA_TYPES[dataType];
  const data = new Uint8Array(elements * (elementBytes || 4));
  if (dataType === 'BYTES') return data;
  const view = new DataView(data.buffer);
  const next = numbersFrom(seed);
  const write = WRITERS[dataType] ?? WRITERS.integer;
  for (let i = 0; i < elements; i++) write?.(view, i * elementBytes, next());
  return data;
}

/** Integers are small, so their low byte is all there is. */
const WRITERS: Readonly<Record<string, (view: DataView, at: number, random: number) => void>> = {
  BOOL: (view, at, random) => view.setUint8(at, (random >>> 8) & 1),
  FP16: (view, at, random) => view.setUint16(at, 0x3800 | (random & 0x3ff), true),
  BF16: (view, at, random) => view.setUint16(at, 0x3f00 | (random & 0x7f), true),
  FP32: (view, at, random) => view.setFloat32(at, (random >>> 8) / 2 ** 24, true),
  FP64: (view, at, random) => view.setFloat64(at, random / 2 ** 32, true),
  integer: (view, at, random) => view.setUint8(at, (random >>> 8) & 0x7f),
};
