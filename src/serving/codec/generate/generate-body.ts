import {
  elementCount,
  type Parameters,
  type PlainValue,
  plainTensorFault,
  ServingError,
  type Tensor,
  type TensorSpec,
  tensorOfValues,
} from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { RequestParameters } from '../request-parameters.js';

/** What decoding needs of an input. */
export type GenerateInput = Pick<TensorSpec, 'name' | 'dataType' | 'dims'>;

/** A body of `generate` for one model. Plain data but for its tensors. */
export interface GenerateBody {
  readonly id: string;
  readonly inputs: readonly Tensor[];
  readonly parameters: Parameters;
  readonly priority: number;
  readonly timeoutUs: number;
}

/**
 * Decodes a body of `generate` and `generate_stream` as Triton maps it: a JSON object whose keys, and those of its `parameters`, are
 * inputs of the model by their names, each a value or a flat list; other keys are parameters of the request; `id` is its id. Throws
 * `MALFORMED_REQUEST`, `DATA_TYPE_MISMATCH`, `SHAPE_MISMATCH`.
 */
export function decodeGenerateBody(body: Uint8Array, inputs: readonly GenerateInput[], batched: boolean): GenerateBody {
  const object = objectOf(body);
  const decoding = new Decoding(inputs, batched);
  let id = '';
  for (const [name, value] of Object.entries(object)) {
    if (name === 'id' && !decoding.isInput('id')) id = idOf(value);
    else if (name === 'parameters' && !decoding.isInput('parameters')) decoding.takeAll(parametersOf(value));
    else decoding.take(name, value);
  }
  const { parameters, tensors } = decoding;
  const { priority, timeoutUs } = parameters;
  return { id, inputs: tensors, parameters: parameters.rest, priority, timeoutUs };
}

class Decoding {
  readonly tensors: Tensor[] = [];
  readonly parameters = new RequestParameters();
  readonly #inputs: ReadonlyMap<string, GenerateInput>;
  readonly #batched: boolean;
  readonly #taken = new Set<string>();

  constructor(inputs: readonly GenerateInput[], batched: boolean) {
    this.#inputs = new Map(inputs.map((input) => [input.name, input]));
    this.#batched = batched;
  }

  isInput(name: string): boolean {
    return this.#inputs.has(name);
  }

  takeAll(object: object): void {
    for (const [name, value] of Object.entries(object)) this.take(name, value);
  }

  take(name: string, value: unknown): void {
    const input = this.#inputs.get(name);
    if (input === undefined) {
      this.parameters.add(name, parameterOf(name, value));
      return;
    }
    if (this.#taken.has(name)) throw malformed(`input ${shown(name)} is given twice, beside "parameters" and in them`);
    this.#taken.add(name);
    this.tensors.push(tensorOf(input, value, this.#batched));
  }
}

function objectOf(body: Uint8Array): object {
  let value: unknown;
  try {
    value = body.byteLength === 0 ? {} : JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new ServingError('MALFORMED_REQUEST', `the body is no JSON: ${(cause as Error).message}`);
  }
  if (isObject(value)) return value;
  throw malformed(`the body must be a JSON object, came ${kindOf(value)}`);
}

function tensorOf({ name, dataType, dims }: GenerateInput, value: unknown, batched: boolean): Tensor {
  const values = Array.isArray(value) ? value : [value];
  const bad = values.find((one) => !isPlain(one));
  if (bad !== undefined || values.includes(undefined) || values.includes(null)) {
    throw new ServingError(
      'DATA_TYPE_MISMATCH',
      `input ${shown(name)}: expected a ${dataType} value or a flat list of them, came ${Array.isArray(value) ? `a list with ${kindOf(bad)}` : kindOf(value)}`,
    );
  }
  const shape = shapeOf(name, batched ? [-1, ...dims] : dims, values.length);
  const plain = { name, dataType, shape, values: values as PlainValue[] };
  const fault = plainTensorFault(plain);
  if (fault !== undefined) throw new ServingError('DATA_TYPE_MISMATCH', `input ${shown(name)}: ${fault}`);
  return tensorOfValues(plain);
}

/** Triton's: the innermost axis of any size takes what the fixed ones leave, the others are 1. */
function shapeOf(name: string, dims: readonly number[], count: number): readonly number[] {
  const fixed = elementCount(dims.filter((dim) => dim !== -1));
  const innermost = dims.lastIndexOf(-1);
  const rest = fixed === 0 ? Number.NaN : count / fixed;
  if (!Number.isInteger(rest) || (innermost < 0 && rest !== 1)) {
    throw new ServingError(
      'SHAPE_MISMATCH',
      `input ${shown(name)}: ${count} values do not make a tensor of shape [${dims.join(',')}]`,
    );
  }
  return dims.map((dim, axis) => (dim !== -1 ? dim : axis === innermost ? rest : 1));
}

function parameterOf(name: string, value: unknown): boolean | number | string {
  if (isPlain(value)) return value;
  throw malformed(
    `${shown(name)} is no input of the model, and as a parameter of the request it must be a string, number or boolean, came ${kindOf(value)}`,
  );
}

function parametersOf(value: unknown): object {
  if (isObject(value)) return value;
  throw malformed(`"parameters" must be an object, came ${kindOf(value)}`);
}

function idOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw malformed(`"id" must be a string, came ${kindOf(value)}`);
}

function isPlain(value: unknown): value is boolean | number | string {
  return (
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function malformed(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
