import type { ModelConfig } from '../../config/index.js';
import {
  DATA_TYPES,
  type DataType,
  dataTypeOfTriton,
  didYouMean,
  IMAGE_COLORS,
  type ImageColor,
  type ImageRecipe,
  ServingError,
} from '../../core/index.js';
import { type Complete, type CompletedTensors, type ConfigInput, showDims } from './config-parts.js';

type Declared = NonNullable<ModelConfig['images']>[number];
type Input = Complete<ConfigInput>;
type Layout = ImageRecipe['layout'];

const MOST_PIXELS = 16_000_000;

/**
 * `images` of a config, completed from the inputs' dims and checked against them: by name of the input. Throws
 * MODEL_INVALID naming the field, what was expected and what was found.
 */
export function imageRecipesOf(
  config: Pick<ModelConfig, 'images'>,
  { inputs }: CompletedTensors,
): ReadonlyMap<string, ImageRecipe> {
  const recipes = new Map<string, ImageRecipe>();
  config.images?.forEach((declared, i) => {
    const field = `images[${i}]`;
    const names = inputs.map(({ name }) => name);
    const input = inputs.find(({ name }) => name === declared.input);
    if (input === undefined)
      throw invalid(
        `${field}.input`,
        `expected one of ${names.join(', ')}, the inputs of the model, found '${declared.input}'${didYouMean(declared.input, names)}`,
      );
    if (recipes.has(input.name)) throw invalid(`${field}.input`, `'${input.name}' is declared twice`);
    recipes.set(input.name, recipeOf(field, declared, input));
  });
  return recipes;
}

function recipeOf(field: string, declared: Declared, input: Input): ImageRecipe {
  const { json } = DATA_TYPES[dataTypeOfTriton(input.data_type) as DataType];
  if (json === 'string' || json === 'boolean' || json === 'integer64')
    throw invalid(
      `${field}.input`,
      `expected an input of floating point or of integers of at most 32 bits, '${input.name}' is ${input.data_type}`,
    );
  const layout = layoutOf(field, declared, input);
  const color = declared.color ?? guessColor(input, layout);
  const size = sizeOf(field, declared, input, layout, color);
  const channels = IMAGE_COLORS[color];
  const perChannel = (name: 'mean' | 'std', otherwise: number): number[] => {
    const given = declared[name] ?? [otherwise];
    if (given.length !== 1 && given.length !== channels)
      throw invalid(
        `${field}.${name}`,
        `expected one number, or one for each of the ${channels} channels of ${color}, found ${given.length}`,
      );
    return Array.from({ length: channels }, (_, c) => given[given.length === 1 ? 0 : c] as number);
  };
  const shorterSide = declared.resize_to ?? Math.max(size.width ?? 1, size.height ?? 1);
  if (declared.resize_to !== undefined && size.sizing !== 'shorter_side')
    throw invalid(`${field}.resize_to`, `only with resize shorter_side, found ${size.sizing}`);
  if (shorterSide < Math.max(size.width ?? 1, size.height ?? 1))
    throw invalid(
      `${field}.resize_to`,
      `expected at least ${Math.max(size.width ?? 1, size.height ?? 1)}, the larger of width and height, found ${shorterSide}`,
    );
  if (declared.background !== undefined && color === 'rgba')
    throw invalid(`${field}.background`, 'only where alpha is no channel of the input, found color rgba');
  return {
    orientation: declared.orientation ?? 'exif',
    sizing: size.sizing,
    width: size.width,
    height: size.height,
    shorterSide,
    filter: declared.filter ?? 'bilinear',
    antialias: declared.antialias ?? true,
    color,
    background: declared.background,
    layout,
    scale: declared.scale ?? (json === 'integer' ? 1 : 1 / 255),
    mean: perChannel('mean', 0),
    std: perChannel('std', 1),
    fill: declared.fill ?? 0,
    maxPixels: declared.max_pixels ?? MOST_PIXELS,
    shape: size.shape,
  };
}

const isChannels = (dim: number | undefined): boolean => dim === 1 || dim === 3 || dim === 4;

function layoutOf(field: string, { layout }: Declared, { name, format, dims }: Input): Layout {
  if (layout !== undefined) return layout === 'NCHW' ? 'chw' : 'hwc';
  if (format === 'FORMAT_NCHW') return 'chw';
  if (format === 'FORMAT_NHWC') return 'hwc';
  if (dims.length !== 3 || isChannels(dims[0])) return 'chw';
  if (isChannels(dims[2])) return 'hwc';
  throw invalid(`${field}.layout`, `expected NCHW or NHWC: the dims ${showDims(dims)} of '${name}' do not show it`);
}

function guessColor({ dims }: Input, layout: Layout): ImageColor {
  if (dims.length !== 3) return 'gray';
  const channels = layout === 'chw' ? dims[0] : dims[2];
  return channels === 1 ? 'gray' : channels === 4 ? 'rgba' : 'rgb';
}

interface Size extends Pick<ImageRecipe, 'sizing' | 'width' | 'height' | 'shape'> {}

/** What the dims say of the size of a picture, and what of it the config has to. */
function sizeOf(field: string, declared: Declared, { name, dims }: Input, layout: Layout, color: ImageColor): Size {
  const channels = IMAGE_COLORS[color];
  const [c, h, w] =
    dims.length === 3 ? (layout === 'chw' ? dims : [dims[2], dims[0], dims[1]]) : [channels, undefined, undefined];
  if (dims.length === 3 && c !== channels && c !== -1)
    throw invalid(
      `${field}.color`,
      `expected ${c} channels, as the dims ${showDims(dims)} of '${name}' have, ${color} has ${channels}`,
    );
  const side = (what: 'width' | 'height', dim: number | undefined): number | undefined => {
    const asked = declared[what];
    const fixed = dim === undefined || dim === -1 ? undefined : dim;
    if (asked !== undefined && fixed !== undefined && asked !== fixed)
      throw invalid(
        `${field}.${what}`,
        `expected ${fixed}, as the dims ${showDims(dims)} of '${name}' have, found ${asked}`,
      );
    return asked ?? fixed;
  };
  const [flatHeight, flatWidth] = dims.length === 2 ? dims : [undefined, undefined];
  const height = side('height', h ?? flatHeight);
  const width = side('width', w ?? flatWidth);
  const sizing = declared.resize ?? (width === undefined || height === undefined ? 'none' : 'stretch');
  if (sizing !== 'none' && (width === undefined || height === undefined))
    throw invalid(
      `${field}.${width === undefined ? 'width' : 'height'}`,
      `expected a size: the dims ${showDims(dims)} of '${name}' give none`,
    );
  if (dims.length === 3) return { sizing, width, height, shape: undefined };
  // Axes that are not those of an image: the elements stand in them in the layout's order.
  if (dims.includes(-1) && dims.length !== 1)
    throw invalid(
      `${field}.input`,
      `expected dims of three axes, one axis or a fixed shape, '${name}' has ${showDims(dims)}`,
    );
  if (width === undefined || height === undefined)
    throw invalid(
      `${field}.width`,
      `expected width and height: the dims ${showDims(dims)} of '${name}' do not show them`,
    );
  const elements = width * height * channels;
  const held = dims.reduce((product, dim) => product * dim, 1);
  if (dims.length === 1 && dims[0] === -1) return { sizing, width, height, shape: [elements] };
  if (held !== elements)
    throw invalid(
      `${field}.input`,
      `expected ${held} elements, as the dims ${showDims(dims)} of '${name}' have, ${width} x ${height} pixels of ${color} have ${elements}`,
    );
  return { sizing, width, height, shape: [...dims] };
}

function invalid(field: string, why: string): ServingError {
  return new ServingError('MODEL_INVALID', `${field}: ${why}`);
}
