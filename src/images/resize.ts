import type { ImageFilter } from '../core/index.js';
import type { Plane } from './channels.js';

/** What is made of one side of a picture: `whole` pixels, of which `size` from `from` on are kept. */
export interface SideTarget {
  readonly whole: number;
  readonly from: number;
  readonly size: number;
}

/**
 * Resizes a picture and cuts out a part, computing only that. As Pillow does it, bit for bit: sides one after the other
 * (width first), weights in fixed point, bytes between; pixels lie at half numbers.
 */
export function resize(
  plane: Plane,
  width: SideTarget,
  height: SideTarget,
  filter: ImageFilter,
  antialias: boolean,
): Plane {
  if (filter === 'nearest') return nearest(plane, width, height);
  const across = isWhole(width, plane.width) ? undefined : weightsOf(plane.width, width, filter, antialias);
  const down = isWhole(height, plane.height) ? undefined : weightsOf(plane.height, height, filter, antialias);
  const wide = across === undefined ? plane : resizeRows(plane, across, rowsRead(down, plane.height));
  return down === undefined ? wide : resizeColumns(wide, down);
}

function isWhole({ whole, from, size }: SideTarget, side: number): boolean {
  return whole === side && from === 0 && size === side;
}

/** Pixels that each pixel of a side is made of, and what they weigh. */
interface Weights {
  readonly size: number;
  /** First pixel and number of pixels, of each. */
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** Of each, `most` places, of which as many as it has pixels are filled. */
  readonly weights: Int32Array;
  readonly most: number;
}

const PRECISION_BITS = 22;
const ONE = 1 << PRECISION_BITS;
const HALF = 1 << (PRECISION_BITS - 1);

const KERNELS: Readonly<Record<Exclude<ImageFilter, 'nearest'>, { support: number; at: (x: number) => number }>> = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, at: (x) => cubic(Math.abs(x)) },
};

function cubic(x: number): number {
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function weightsOf(
  side: number,
  { whole, from, size }: SideTarget,
  filter: Exclude<ImageFilter, 'nearest'>,
  antialias: boolean,
): Weights {
  const kernel = KERNELS[filter];
  const scale = side / whole;
  const spread = antialias ? Math.max(scale, 1) : 1;
  const support = kernel.support * spread;
  const most = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(size);
  const counts = new Int32Array(size);
  const weights = new Int32Array(size * most);
  const raw = new Float64Array(most);
  for (let i = 0; i < size; i++) {
    const center = (from + i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(side, Math.trunc(center + support + 0.5)) - start;
    let sum = 0;
    for (let x = 0; x < count; x++) {
      raw[x] = kernel.at((x + start - center + 0.5) / spread);
      sum += raw[x] as number;
    }
    for (let x = 0; x < count; x++) {
      const weight = ((raw[x] as number) / (sum === 0 ? 1 : sum)) * ONE;
      weights[i * most + x] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    starts[i] = start;
    counts[i] = count;
  }
  return { size, starts, counts, weights, most };
}

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

function nearest({ width, height, channels, data }: Plane, across: SideTarget, down: SideTarget): Plane {
  const out = new Uint8Array(across.size * down.size * channels);
  let to = 0;
  for (let y = 0; y < down.size; y++) {
    const row = Math.min(height - 1, Math.floor(((down.from + y + 0.5) * height) / down.whole));
    for (let x = 0; x < across.size; x++) {
      const column = Math.min(width - 1, Math.floor(((across.from + x + 0.5) * width) / across.whole));
      const at = (row * width + column) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[at + c] as number;
    }
  }
  return { width: across.size, height: down.size, channels, data: out };
}
