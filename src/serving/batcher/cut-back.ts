import { byteSize, type Tensor } from '../../core/index.js';

/**
 * What of an output belongs to a member of `length`: every one of `axes` cut to it. A view where those bytes lie together
 * (one row whose first axis is the length), else a copy. Not for BYTES.
 */
export function cutBack(output: Tensor, axes: readonly number[], length: number): Tensor {
  const { name, dataType, data } = output;
  const shape = output.shape.slice();
  for (const axis of axes) shape[axis] = length;
  const bytes = byteSize(dataType, shape);
  const first = axes[0] as number;
  const last = axes.at(-1) as number;
  let blocks = 1;
  for (let axis = 0; axis < first; axis++) blocks *= output.shape[axis] as number;
  if (first === last && blocks === 1) return { name, dataType, shape, data: data.subarray(0, bytes) };

  const cut = new Uint8Array(bytes);
  const innerBytes = byteSize(dataType, output.shape.slice(last + 1));
  let to = 0;
  /** Copies what is kept of the block of `axis` that begins at `from`; the offset after the whole block. */
  const copy = (axis: number, from: number): number => {
    const whole = output.shape[axis] as number;
    const kept = shape[axis] as number;
    if (axis === last) {
      cut.set(data.subarray(from, from + kept * innerBytes), to);
      to += kept * innerBytes;
      return from + whole * innerBytes;
    }
    let at = from;
    for (let i = 0; i < kept; i++) at = copy(axis + 1, at);
    return at + (whole - kept) * ((at - from) / Math.max(kept, 1));
  };
  copy(0, 0);
  return { name, dataType, shape, data: cut };
}
