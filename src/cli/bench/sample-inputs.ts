import type { TensorMetadata } from '../../client/index.js';
import { DATA_TYPES, type DataType, elementCount, isDataType, type Tensor } from '../../core/index.js';
import { type Element, encodeElements } from '../../elements/index.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { RandomSource } from './random-source.js';

/** What fills inputs that are not given. */
export type SampleData = 'random' | 'zeros';

/** An axis: a size, or a range of sizes that requests draw from. */
type AxisSizes = readonly [low: number, high: number];

/**
 * Reads `NAME=1,16..128`: the size of every axis, where the model leaves it open or to choose a batch. The same range in
 * several inputs means the same size in one request (token ids and their mask).
 */
export function parseShape(word: string): { readonly name: string; readonly axes: readonly AxisSizes[] } {
  const match = /^([^=]+)=(\d+(?:\.\.\d+)?(?:,\d+(?:\.\.\d+)?)*)$/.exec(word);
  if (match === null) throw usage(`--shape ${word}: expected NAME=SIZE,SIZE.., a size being 16 or 16..128`);
  const axes = match[2]!.split(',').map((text) => {
    const [low, high = low] = text.split('..').map(Number);
    if (high! < low!) throw usage(`--shape ${word}: ${text} is an empty range`);
    return [low!, high!] as const;
  });
  return { name: match[1]!, axes };
}

/** Inputs of one request: shapes by `shapes` or by metadata (open axes become 1), elements random or zero. */
export function sampleInputs(
  specs: readonly TensorMetadata[],
  shapes: ReadonlyMap<string, readonly AxisSizes[]>,
  data: SampleData,
  random: RandomSource,
): Tensor[] {
  for (const name of shapes.keys()) {
    if (!specs.some((spec) => spec.name === name))
      throw usage(`--shape: the model has no input '${name}'; it has ${specs.map((spec) => spec.name).join(', ')}`);
  }
  const drawn = new Map<string, number>();
  const sizeOf = ([low, high]: AxisSizes): number => {
    const range = `${low}..${high}`;
    const size = drawn.get(range) ?? random.integer(low, high);
    drawn.set(range, size);
    return size;
  };
  return specs.map(({ name, datatype, shape }) => {
    if (!isDataType(datatype)) throw usage(`input '${name}' has the data type ${datatype}, unknown here`);
    const axes = shapes.get(name);
    if (axes !== undefined && axes.length !== shape.length)
      throw usage(`--shape ${name}: the model's input has ${shape.length} axes [${shape}], ${axes.length} came`);
    const sizes = axes === undefined ? shape.map((axis) => (axis < 0 ? 1 : axis)) : axes.map(sizeOf);
    const elements = Array.from({ length: elementCount(sizes) }, () =>
      data === 'zeros' ? zeroOf(datatype) : randomElement(datatype, random),
    );
    return { name, dataType: datatype, shape: sizes, data: encodeElements(datatype, elements, name) };
  });
}

function zeroOf(dataType: DataType): Element {
  return dataType === 'BYTES' ? '' : 0;
}

/** Floats in [0, 1), whole numbers 0 to 9 (also valid as token ids), words. */
function randomElement(dataType: DataType, random: RandomSource): Element {
  if (dataType === 'BYTES') return `word-${random.integer(0, 999)}`;
  const { json } = DATA_TYPES[dataType];
  if (dataType === 'BOOL') return random.integer(0, 1);
  return json === 'integer' || json === 'integer64' ? random.integer(0, 9) : random.uniform();
}

function usage(message: string): CliError {
  return new CliError(message, EXIT_CODES.usage);
}
