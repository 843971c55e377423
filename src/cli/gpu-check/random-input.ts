import { elementCount, type Tensor } from '../../core/index.js';

/** FP32 values in [-1, 1), the same for the same seed (mulberry32). */
export function randomInput(name: string, shape: readonly number[], seed: number): Tensor {
  const values = new Float32Array(elementCount(shape));
  let state = seed >>> 0;
  for (let i = 0; i < values.length; i++) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    values[i] = ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  }
  return { name, dataType: 'FP32', shape, data: new Uint8Array(values.buffer) };
}
