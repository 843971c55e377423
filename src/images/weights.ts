import type { ImageFilter } from '../core/index.js';

/** What is made of one side of a picture: `whole` pixels, of which `size` from `from` on are kept. */
export interface SideTarget {
  readonly whole: number;
  readonly from: number;
  readonly size: number;
}

/** Pixels that each pixel of a side is made of, and what they weigh. */
export interface Weights {
  readonly size: number;
  /** First pixel and number of pixels, of each. */
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** Of each, `most` places, of which as many as it has pixels are filled. */
  readonly weights: Int32Array;
  readonly most: number;
}

export const PRECISION_BITS = 22;
const ONE = 1 << PRECISION_BITS;

type Weighing = Exclude<ImageFilter, 'nearest'>;

interface Kernel {
  readonly support: number;
  at(x: number): number;
}

const KERNELS: Readonly<Record<Exclude<Weighing, 'area'>, Kernel>> = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, at: (x) => cubic(Math.abs(x), -0.5) },
  lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

function cubic(x: number, a: number): number {
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** Writes the weights of one pixel, the `i`th of a side resized by `scale`, to `raw`; returns its first pixel, and how many it has. */
type Rule = (i: number, raw: Float64Array) => readonly [start: number, count: number];

/** How pixels of a side are weighed. `shrinks`: whether neither side of the picture grows. */
export function weightsOf(
  side: number,
  { whole, from, size }: SideTarget,
  filter: Weighing,
  antialias: boolean,
  shrinks: boolean,
): Weights {
  const { most, rule } = ruleOf(side, side / whole, filter, antialias, shrinks);
  const starts = new Int32Array(size);
  const counts = new Int32Array(size);
  const weights = new Int32Array(size * most);
  const raw = new Float64Array(most);
  for (let i = 0; i < size; i++) {
    const [start, count] = rule(from + i, raw);
    let sum = 0;
    for (let x = 0; x < count; x++) sum += raw[x] as number;
    for (let x = 0; x < count; x++) {
      const weight = ((raw[x] as number) / (sum === 0 ? 1 : sum)) * ONE;
      weights[i * most + x] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    starts[i] = start;
    counts[i] = count;
  }
  return { size, starts, counts, weights, most };
}

function ruleOf(
  side: number,
  scale: number,
  filter: Weighing,
  antialias: boolean,
  shrinks: boolean,
): { most: number; rule: Rule } {
  if (filter === 'area')
    return shrinks ? { most: Math.ceil(scale) + 2, rule: shares(side, scale) } : { most: 2, rule: steps(side, scale) };
  if (filter === 'bicubic' && !antialias) return { most: 4, rule: sharpCubic(side, scale) };
  const kernel = KERNELS[filter];
  const spread = antialias ? Math.max(scale, 1) : 1;
  return { most: Math.ceil(kernel.support * spread) * 2 + 1, rule: kernelRule(side, scale, kernel, spread) };
}

/** Pillow's: what lies beyond the picture weighs nothing. */
function kernelRule(side: number, scale: number, kernel: Kernel, spread: number): Rule {
  const support = kernel.support * spread;
  return (i, raw) => {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(side, Math.trunc(center + support + 0.5)) - start;
    for (let x = 0; x < count; x++) raw[x] = kernel.at((x + start - center + 0.5) / spread);
    return [start, count];
  };
}

/** OpenCV's INTER_CUBIC: four pixels, sharper weights, pixels at the edge stand for those beyond. */
function sharpCubic(side: number, scale: number): Rule {
  return (i, raw) => {
    const place = (i + 0.5) * scale - 0.5;
    const before = Math.floor(place);
    const start = Math.max(0, before - 1);
    const end = Math.min(side - 1, before + 2);
    raw.fill(0);
    for (let x = before - 1; x <= before + 2; x++) {
      const at = Math.min(end, Math.max(start, x)) - start;
      raw[at] = (raw[at] as number) + cubic(Math.abs(x - place), -0.75);
    }
    return [start, end - start + 1];
  };
}

/** OpenCV's INTER_AREA where it shrinks: pixels by the share of them that is covered. */
function shares(side: number, scale: number): Rule {
  return (i, raw) => {
    const from = i * scale;
    const to = Math.min(side, from + scale);
    const start = Math.min(side - 1, Math.floor(from));
    let count = 0;
    for (let x = start; x < to; x++) raw[count++] = Math.min(to, x + 1) - Math.max(from, x);
    return [start, count];
  };
}

/** OpenCV's INTER_AREA where a side grows: pixels with soft edges between them. */
function steps(side: number, scale: number): Rule {
  return (i, raw) => {
    const before = Math.min(side - 1, Math.floor(i * scale));
    const within = i + 1 - (before + 1) / scale;
    const share = within <= 0 || before + 1 >= side ? 0 : within - Math.floor(within);
    raw[0] = 1 - share;
    raw[1] = share;
    return [before, share === 0 ? 1 : 2];
  };
}
