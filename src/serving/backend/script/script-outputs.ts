import {
  DATA_TYPES,
  elementCount,
  type Reason,
  ServingError,
  serialiseBytes,
  type TypedArray,
} from '../../../core/index.js';
import type { ThreadOutputSpec, ThreadTensor } from '../thread-model.js';

/**
 * What a script returned, `{ NAME: data }` or `{ NAME: { data, shape } }`, as tensors in the order of the spec. Throws
 * BACKEND_FAILED where names or types are wrong, OUTPUT_SHAPE_MISMATCH where sizes are.
 */
export function scriptOutputs(
  result: unknown,
  specs: readonly ThreadOutputSpec[],
  rows: number | undefined,
): readonly ThreadTensor[] {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) {
    throw failed(`infer must return an object of outputs by name, got ${kindOf(result)}`);
  }
  const given = result as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).find((name) => !specs.some((spec) => spec.name === name));
  if (unknown !== undefined) {
    throw failed(`infer returned '${unknown}', which is no output; outputs: ${specs.map((s) => s.name).join(', ')}`);
  }
  return specs.map((spec) => {
    const value = Object.hasOwn(given, spec.name) ? given[spec.name] : undefined;
    if (value === undefined || value === null) throw failed(`infer returned no output '${spec.name}'`);
    const { data, shape } = parts(value);
    return outputTensor(spec, data, shape, rows);
  });
}

function parts(value: object): { readonly data: unknown; readonly shape: unknown } {
  if (ArrayBuffer.isView(value) || Array.isArray(value)) return { data: value, shape: undefined };
  const { data, shape } = value as { data?: unknown; shape?: unknown };
  return { data, shape };
}

function outputTensor(spec: ThreadOutputSpec, data: unknown, shape: unknown, rows: number | undefined): ThreadTensor {
  const { name, dataType, dims } = spec;
  const { bytes, elements } = dataType === 'BYTES' ? bytesOf(name, data) : numbersOf(spec, data);
  const expected = rows === undefined ? dims : [rows, ...dims];
  const actual = shape === undefined ? inferredShape(name, expected, elements) : checkedShape(name, shape);
  if (elementCount(actual) !== elements) {
    throw failed(
      `output '${name}' has ${elements} elements, its shape [${actual}] needs ${elementCount(actual)}`,
      SHAPE,
    );
  }
  const fits = actual.length === expected.length && expected.every((dim, axis) => dim === -1 || dim === actual[axis]);
  if (!fits) throw failed(`output '${name}': expected shape [${expected}], got [${actual}]`, SHAPE);
  return { name, dataType, shape: actual, data: bytes };
}

interface Elements {
  readonly bytes: Uint8Array;
  readonly elements: number;
}

function numbersOf({ name, dataType }: ThreadOutputSpec, data: unknown): Elements {
  const { array } = DATA_TYPES[dataType];
  // A Buffer is a Uint8Array too; Uint8ClampedArray and others are not what they seem.
  if (!(data instanceof array)) {
    throw failed(`output '${name}' of type ${dataType}: expected a ${array.name}, got ${kindOf(data)}`);
  }
  const typed: TypedArray = data;
  return { bytes: new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength), elements: typed.length };
}

function bytesOf(name: string, data: unknown): Elements {
  if (!Array.isArray(data)) {
    throw failed(`output '${name}' of type BYTES: expected an array of strings or Uint8Arrays, got ${kindOf(data)}`);
  }
  const elements = data.map((element: unknown, index) => {
    if (typeof element === 'string') return Buffer.from(element);
    if (element instanceof Uint8Array) return element;
    throw failed(`output '${name}' of type BYTES: element ${index} is ${kindOf(element)}`);
  });
  return { bytes: serialiseBytes(elements), elements: elements.length };
}

/** The expected shape with its one free axis told from the number of elements. */
function inferredShape(name: string, expected: readonly number[], elements: number): readonly number[] {
  const free = expected.filter((dim) => dim === -1).length;
  if (free === 0) return expected;
  const fixed = elementCount(expected.filter((dim) => dim !== -1));
  if (free > 1 || fixed === 0) {
    throw failed(`output '${name}' of shape [${expected}] has several sizes that fit: return { data, shape }`, SHAPE);
  }
  return expected.map((dim) => (dim === -1 ? Math.floor(elements / fixed) : dim));
}

function checkedShape(name: string, shape: unknown): readonly number[] {
  const valid = Array.isArray(shape) && shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  if (!valid) throw failed(`output '${name}': shape must be an array of whole numbers`, SHAPE);
  return shape as readonly number[];
}

const SHAPE = 'OUTPUT_SHAPE_MISMATCH';

function failed(message: string, reason: Reason = 'BACKEND_FAILED'): ServingError {
  return new ServingError(reason, `the script's answer is wrong: ${message}`);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  return value.constructor?.name ?? 'object';
}
