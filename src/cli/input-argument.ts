import { readFileSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import type { TensorMetadata } from '../client/index.js';
import { DATA_TYPES, type DataType, didYouMean, elementCount, isDataType, type Tensor } from '../core/index.js';
import { decodeElements, type Element, encodeElements, readNpy } from '../elements/index.js';
import { CliError, EXIT_CODES } from './exit-codes.js';
import { decodeImage, type ImageOptions, imageTensor } from './image-input.js';

/**
 * The tensors that the words of `--input` stand for: `NAME=@FILE` or `NAME=JSON`; the name may be left out where the model
 * has one input. A JSON file may hold a whole V2 request, whose inputs are then taken. Throws where one does not fit.
 */
export async function readInputs(
  words: readonly string[],
  specs: readonly TensorMetadata[],
  cwd: string,
  image: ImageOptions,
): Promise<Tensor[]> {
  const tensors = (await Promise.all(words.map((word) => readInput(word, specs, cwd, image)))).flat();
  const seen = new Set<string>();
  for (const { name } of tensors) {
    if (seen.has(name)) throw usage(`input '${name}' is given twice`);
    seen.add(name);
  }
  return tensors;
}

async function readInput(
  word: string,
  specs: readonly TensorMetadata[],
  cwd: string,
  image: ImageOptions,
): Promise<Tensor[]> {
  const named = /^([^=@[{"]+)=([\s\S]*)$/.exec(word);
  const value = named === null ? word : named[2]!;
  const spec = () => specOf(named?.[1], specs);
  if (!value.startsWith('@')) return [jsonTensor(parseJson(value, spec().name), spec())];
  const path = resolve(cwd, value.slice(1));
  const file = readFile(path);
  switch (extname(path).toLowerCase()) {
    case '.npy':
      return [fitted(readNpy(file, spec().name), spec())];
    case '.png':
    case '.jpg':
    case '.jpeg':
    case '.webp':
    case '.gif':
      return [imageTensor(await decodeImage(file, spec().name), spec(), image)];
    case '.json': {
      const parsed = parseJson(file.toString('utf8'), value.slice(1));
      const request = (parsed as { inputs?: unknown } | null)?.inputs;
      return Array.isArray(request)
        ? request.map((input) => requestTensor(input, specs))
        : [jsonTensor(parsed, spec())];
    }
    case '.bin':
    case '.raw':
      return [rawTensor(file, spec())];
    default:
      throw usage(`${value.slice(1)}: expected a file ending in .npy, .json, .png, .jpg, .webp, .gif or .bin`);
  }
}

function specOf(name: string | undefined, specs: readonly TensorMetadata[]): TensorMetadata {
  const names = specs.map((spec) => spec.name);
  if (name === undefined && specs.length === 1) return specs[0]!;
  if (name === undefined) throw usage(`the model has the inputs ${names.join(', ')}; say which with --input NAME=...`);
  const spec = specs.find((one) => one.name === name);
  if (spec === undefined)
    throw usage(`the model has no input '${name}'${didYouMean(name, names)}; it has ${names.join(', ')}`);
  return spec;
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    throw usage(`${path}: cannot be read (${(thrown as NodeJS.ErrnoException).code})`);
  }
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw usage(`${where}: not JSON (${(thrown as Error).message}); a file is named with @, e.g. --input @sample.npy`);
  }
}

/** One input of a V2 request in JSON. */
function requestTensor(input: unknown, specs: readonly TensorMetadata[]): Tensor {
  const { name, shape, data, datatype } = input as {
    name?: unknown;
    shape?: unknown;
    data?: unknown;
    datatype?: unknown;
  };
  const spec = specOf(String(name), specs);
  const dims = Array.isArray(shape) ? shape.map(Number) : undefined;
  return jsonTensor(data, isDataType(datatype) ? { ...spec, datatype } : spec, dims);
}

/** Nested arrays, flat arrays or one value as a tensor. */
function jsonTensor(value: unknown, spec: TensorMetadata, shape?: readonly number[]): Tensor {
  const elements: Element[] = [];
  const nested = shapeOf(value, elements, spec.name);
  const dataType = dataTypeOf(spec);
  const data = encodeElements(dataType, elements, spec.name);
  return fitted({ name: spec.name, dataType, shape: shape ?? nested, data }, spec);
}

/** Shape of nested arrays, whose elements are added to `elements`. */
function shapeOf(value: unknown, elements: Element[], input: string): number[] {
  if (!Array.isArray(value)) {
    if (value === null || (typeof value !== 'number' && typeof value !== 'string' && typeof value !== 'boolean'))
      throw usage(`input '${input}': expected numbers, texts or booleans in arrays, got ${JSON.stringify(value)}`);
    elements.push(value);
    return [];
  }
  const shapes = value.map((member) => shapeOf(member, elements, input));
  const [first = []] = shapes;
  if (shapes.some((shape) => shape.join() !== first.join()))
    throw usage(`input '${input}': its nested arrays differ in length`);
  return [value.length, ...first];
}

function rawTensor(data: Buffer, spec: TensorMetadata): Tensor {
  const { elementBytes } = DATA_TYPES[dataTypeOf(spec)];
  const shape = spec.shape.map((axis) => (axis < 0 ? 1 : axis));
  const rest = elementCount(shape.slice(1)) * elementBytes;
  // The first axis takes what there is, where it is variable: the batch.
  if (spec.shape[0] === -1 && elementBytes > 0 && data.byteLength % rest === 0) shape[0] = data.byteLength / rest;
  return { name: spec.name, dataType: dataTypeOf(spec), shape, data };
}

/**
 * A tensor in the input's data type and rank: elements are converted where they fit, a missing batch axis is added, and a
 * flat list takes the input's shape.
 */
function fitted(tensor: Tensor, spec: TensorMetadata): Tensor {
  const dataType = dataTypeOf(spec);
  const data =
    tensor.dataType === dataType
      ? tensor.data
      : encodeElements(dataType, decodeElements(tensor.dataType, tensor.data), spec.name);
  const one = spec.shape.map((axis) => (axis < 0 ? 1 : axis));
  let { shape } = tensor;
  if (shape.length === spec.shape.length - 1 && spec.shape[0] === -1) shape = [1, ...shape];
  else if (shape.length !== spec.shape.length && elementCount(shape) === elementCount(one)) shape = one;
  return { name: spec.name, dataType, shape, data };
}

function dataTypeOf(spec: TensorMetadata): DataType {
  if (!isDataType(spec.datatype))
    throw usage(`input '${spec.name}' has the data type ${spec.datatype}, which this command does not know`);
  return spec.datatype;
}

function usage(message: string): CliError {
  return new CliError(message, EXIT_CODES.usage);
}
