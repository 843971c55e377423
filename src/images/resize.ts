import type { ImageFilter } from '../core/index.js';
import type { Plane } from './channels.js';
import { PRECISION_BITS, type SideTarget, type Weights, weightsOf } from './weights.js';

/**
 * Resizes a picture and cuts out a part, computing only that. As Pillow does it, bit for bit: sides one after the other
 * (width first), weights in fixed point, bytes between; pixels lie at half numbers. Without `antialias`, and by `area`, as OpenCV does it,
 * but for single steps.
 */
export function resize(
  plane: Plane,
  width: SideTarget,
  height: SideTarget,
  filter: ImageFilter,
  antialias: boolean,
): Plane {
  if (filter === 'nearest') return nearest(plane, width, height, antialias ? 0.5 : 0);
  const shrinks = width.whole <= plane.width && height.whole <= plane.height;
  const across = isWhole(width, plane.width) ? undefined : weightsOf(plane.width, width, filter, antialias, shrinks);
  const down = isWhole(height, plane.height) ? undefined : weightsOf(plane.height, height, filter, antialias, shrinks);
  const wide = across === undefined ? plane : resizeRows(plane, across, rowsRead(down, plane.height));
  return down === undefined ? wide : resizeColumns(wide, down);
}

function isWhole({ whole, from, size }: SideTarget, side: number): boolean {
  return whole === side && from === 0 && size === side;
}

const HALF = 1 << (PRECISION_BITS - 1);

/** The rows of a picture that the pass over its columns will read: others need no pass over theirs. */
function rowsRead(down: Weights | undefined, height: number): { readonly first: number; readonly end: number } {
  if (down === undefined || down.size === 0) return { first: 0, end: height };
  const last = down.size - 1;
  return { first: down.starts[0] as number, end: (down.starts[last] as number) + (down.counts[last] as number) };
}

function resizeRows(plane: Plane, across: Weights, rows: { readonly first: number; readonly end: number }): Plane {
  const { channels, height, data } = plane;
  const { size, starts, counts, weights, most } = across;
  const out = new Uint8Array(size * height * channels);
  for (let y = rows.first; y < rows.end; y++) {
    const row = y * plane.width;
    for (let x = 0; x < size; x++) {
      const count = counts[x] as number;
      const first = (row + (starts[x] as number)) * channels;
      const to = (y * size + x) * channels;
      for (let c = 0; c < channels; c++) {
        let sum = HALF;
        for (let k = 0, at = first + c; k < count; k++, at += channels)
          sum += (data[at] as number) * (weights[x * most + k] as number);
        out[to + c] = clipped(sum >> PRECISION_BITS);
      }
    }
  }
  return { width: size, height, channels, data: out };
}

function resizeColumns({ width, channels, data }: Plane, down: Weights): Plane {
  const { size, starts, counts, weights, most } = down;
  const rowBytes = width * channels;
  const out = new Uint8Array(size * rowBytes);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < size; y++) {
    sums.fill(HALF);
    for (let k = 0; k < (counts[y] as number); k++) {
      const weight = weights[y * most + k] as number;
      const from = ((starts[y] as number) + k) * rowBytes;
      for (let i = 0; i < rowBytes; i++) sums[i] = (sums[i] as number) + (data[from + i] as number) * weight;
    }
    for (let i = 0; i < rowBytes; i++) out[y * rowBytes + i] = clipped((sums[i] as number) >> PRECISION_BITS);
  }
  return { width, height: size, channels, data: out };
}

function clipped(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** `within`: where in a pixel its place is taken to be, 0.5 its middle (Pillow, OpenCV's INTER_NEAREST_EXACT), 0 its corner (INTER_NEAREST). */
function nearest(
  { width, height, channels, data }: Plane,
  across: SideTarget,
  down: SideTarget,
  within: number,
): Plane {
  const out = new Uint8Array(across.size * down.size * channels);
  let to = 0;
  for (let y = 0; y < down.size; y++) {
    const row = Math.min(height - 1, Math.floor(((down.from + y + within) * height) / down.whole));
    for (let x = 0; x < across.size; x++) {
      const column = Math.min(width - 1, Math.floor(((across.from + x + within) * width) / across.whole));
      const at = (row * width + column) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[at + c] as number;
    }
  }
  return { width: across.size, height: down.size, channels, data: out };
}
