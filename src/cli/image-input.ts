import type { TensorMetadata } from '../client/index.js';
import { DATA_TYPES, type DataType, elementCount, type Tensor } from '../core/index.js';
import { encodeElements } from '../elements/index.js';
import { decodePicture, type Picture } from '../images/index.js';
import { CliError, EXIT_CODES } from './exit-codes.js';

/** Axis orders of an image without its batch axis; `flat`: rows of one grey image in one axis. */
export const LAYOUTS = ['chw', 'hwc', 'hw', 'flat'] as const;
export type Layout = (typeof LAYOUTS)[number];

export interface ImageOptions {
  readonly layout: Layout | undefined;
  /** Factor of the values 0..255; undefined: 1/255 for floating-point inputs, 1 for integers. */
  readonly scale: number | undefined;
  readonly resize: 'nearest' | 'area';
}

const MOST_PIXELS = 100_000_000;

/** Decodes a PNG, JPEG, WebP or GIF file by its first bytes, turned as its EXIF mark says. */
export async function decodeImage(file: Buffer, input: string): Promise<Picture> {
  try {
    return await decodePicture(file, { maxPixels: MOST_PIXELS, orientation: 'exif' }, `input '${input}'`);
  } catch (thrown) {
    throw new CliError((thrown as Error).message, EXIT_CODES.usage);
  }
}

/**
 * An image as the tensor that an input takes: sized to its height and width (its own size where they are not fixed), in
 * its channels (one: grey by ITU-R 601 weights; three: red, green, blue; four: with alpha) and axis order. Throws where the
 * shape does not look like an image's.
 */
export function imageTensor(pixels: Picture, spec: TensorMetadata, options: ImageOptions): Tensor {
  const dataType = spec.datatype as DataType;
  const plan = planOf(pixels, spec, options.layout);
  const channels = resized(pixels, plan, options.resize);
  const float = DATA_TYPES[dataType].json === 'float' || DATA_TYPES[dataType].json === 'none';
  const scale = options.scale ?? (float ? 1 / 255 : 1);
  const values = new Array<number>(elementCount(plan.shape));
  const area = plan.width * plan.height;
  for (let c = 0; c < plan.channels; c++) {
    for (let i = 0; i < area; i++) {
      const value = channels[c]![i]! * scale;
      values[plan.layout === 'hwc' ? i * plan.channels + c : c * area + i] = float ? value : Math.round(value);
    }
  }
  return { name: spec.name, dataType, shape: plan.shape, data: encodeElements(dataType, values, spec.name) };
}

interface Plan {
  readonly layout: Layout;
  readonly channels: number;
  readonly width: number;
  readonly height: number;
  /** Batch axis included, where the input has one. */
  readonly shape: readonly number[];
}

const isChannels = (axis: number | undefined) => axis === 1 || axis === 3 || axis === 4;

/** What the input's shape says about the image it takes. */
function planOf(pixels: Picture, spec: TensorMetadata, asked: Layout | undefined): Plan {
  const { shape } = spec;
  const layout = asked ?? guessLayout(shape);
  const rank = layout === undefined ? 0 : layout === 'flat' ? 1 : layout.length;
  if (layout === undefined || shape.length < rank || shape.length > rank + 1) {
    const hint =
      asked === undefined
        ? 'say which axes it has with --layout chw, hwc, hw or flat'
        : `--layout ${asked} does not fit it`;
    throw new CliError(
      `input '${spec.name}' has shape [${shape.join(', ')}], which is not clearly that of an image; ${hint}`,
      EXIT_CODES.usage,
    );
  }
  const axes = shape.slice(shape.length - rank);
  const batch = shape.length > rank ? [1] : [];
  if (layout === 'flat') return flatPlan(pixels, axes[0]!, batch, spec);
  const size = (letter: string, otherwise: number) => {
    const axis = axes[layout.indexOf(letter)];
    return axis === undefined || axis < 0 ? otherwise : axis;
  };
  const plan = {
    layout,
    channels: layout === 'hw' ? 1 : size('c', 3),
    width: size('w', pixels.width),
    height: size('h', pixels.height),
  };
  if (!isChannels(plan.channels))
    throw new CliError(
      `input '${spec.name}': an image has 1, 3 or 4 channels, its shape asks for ${plan.channels}`,
      EXIT_CODES.usage,
    );
  const sizes = { c: plan.channels, h: plan.height, w: plan.width };
  return { ...plan, shape: [...batch, ...[...layout].map((letter) => sizes[letter as 'c' | 'h' | 'w'])] };
}

function flatPlan(pixels: Picture, axis: number, batch: readonly number[], spec: TensorMetadata): Plan {
  const own = pixels.width * pixels.height;
  const side = Math.round(Math.sqrt(axis));
  const fits = axis < 0 || axis === own;
  if (!fits && side * side !== axis)
    throw new CliError(
      `input '${spec.name}' takes ${axis} values, neither the ${own} pixels of the image nor a square`,
      EXIT_CODES.usage,
    );
  const size = fits ? { width: pixels.width, height: pixels.height } : { width: side, height: side };
  return { layout: 'flat', channels: 1, ...size, shape: [...batch, size.width * size.height] };
}

/** The layout of a shape, the first axis of four, or of a variable one, being the batch. */
function guessLayout(shape: readonly number[]): Layout | undefined {
  const axes = shape.length === 4 || (shape.length > 1 && shape[0] === -1) ? shape.slice(1) : shape;
  if (axes.length === 3) return isChannels(axes[0]) ? 'chw' : isChannels(axes[2]) ? 'hwc' : undefined;
  if (axes.length === 2) return 'hw';
  return axes.length === 1 ? 'flat' : undefined;
}

/** The image's channels at the plan's size, values 0..255. */
function resized(pixels: Picture, plan: Plan, how: 'nearest' | 'area'): Float64Array[] {
  const same = pixels.width === plan.width && pixels.height === plan.height;
  return Array.from({ length: plan.channels }, (_, c) => {
    const plane = channelOf(pixels, plan.channels, c);
    if (same) return plane;
    return how === 'nearest' ? nearest(plane, pixels, plan) : area(plane, pixels, plan);
  });
}

function channelOf({ width, height, data }: Picture, channels: number, channel: number): Float64Array {
  const plane = new Float64Array(width * height);
  for (let i = 0; i < plane.length; i++) {
    const at = i * 4;
    plane[i] = channels === 1 ? 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]! : data[at + channel]!;
  }
  return plane;
}

function nearest(plane: Float64Array, from: Picture, to: Plan): Float64Array {
  const out = new Float64Array(to.width * to.height);
  for (let y = 0; y < to.height; y++) {
    const row = Math.min(from.height - 1, Math.floor(((y + 0.5) * from.height) / to.height));
    for (let x = 0; x < to.width; x++) {
      const column = Math.min(from.width - 1, Math.floor(((x + 0.5) * from.width) / to.width));
      out[y * to.width + x] = plane[row * from.width + column]!;
    }
  }
  return out;
}

/** Each pixel is the mean of the area it covers in the image, cut pixels by their share. */
function area(plane: Float64Array, from: Picture, to: Plan): Float64Array {
  const rows = along(plane, from.width, from.height, to.width);
  const turned = transposed(rows, to.width, from.height);
  return transposed(along(turned, from.height, to.width, to.height), to.height, to.width);
}

/** Averages `count` lines of `length` values down (or up) to `size` values each. */
function along(values: Float64Array, length: number, count: number, size: number): Float64Array {
  const out = new Float64Array(size * count);
  const step = length / size;
  for (let i = 0; i < size; i++) {
    const start = i * step;
    const end = Math.min(length, start + step);
    for (let line = 0; line < count; line++) {
      let sum = 0;
      for (let at = Math.floor(start); at < end; at++)
        sum += values[line * length + at]! * (Math.min(end, at + 1) - Math.max(start, at));
      out[line * size + i] = sum / (end - start);
    }
  }
  return out;
}

function transposed(values: Float64Array, width: number, height: number): Float64Array {
  const out = new Float64Array(values.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[x * height + y] = values[y * width + x]!;
  return out;
}
