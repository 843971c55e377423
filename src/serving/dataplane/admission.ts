import {
  type BatchMember,
  byteSize,
  type InferenceRequest,
  type ModelSpec,
  type OutputRequest,
  type Parameters,
  ServingError,
  type Tensor,
  type TensorSpec,
} from '../../core/index.js';
import { type BatchKey, BatchKeys } from './batch-keys.js';

/** A request that fits its version: its inputs in the spec's order, and what may share a batch with it. */
export interface Admitted {
  readonly member: BatchMember;
  readonly batchKey: BatchKey;
  /** Index into the spec's outputs, in the order asked for; undefined = all, as the spec has them. */
  readonly outputs: readonly PickedOutput[] | undefined;
}

export interface PickedOutput {
  readonly index: number;
  /** Classification extension: the k highest; 0 = the tensor itself. */
  readonly classification: number;
}

/**
 * Checks requests against one version's spec. Compiled once per version; a request with fixed shapes costs no string.
 * Rules: Open Inference Protocol; wording and batch rules as Triton's `InferenceRequest::Normalize`.
 */
export class Admission {
  readonly #spec: ModelSpec;
  readonly #inputs: ReadonlyMap<string, number>;
  readonly #outputs: ReadonlyMap<string, number>;
  readonly #required: number;
  readonly #keys: BatchKeys;
  readonly #batched: boolean;

  constructor(spec: ModelSpec) {
    this.#spec = spec;
    this.#inputs = new Map(spec.inputs.map((input, index) => [input.name, index]));
    this.#outputs = new Map(spec.outputs.map((output, index) => [output.name, index]));
    this.#required = spec.inputs.filter((input) => !input.optional).length;
    this.#keys = new BatchKeys(spec);
    this.#batched = spec.maxBatchSize > 0;
  }

  /** Throws UNKNOWN_INPUT, MISSING_INPUT, UNKNOWN_OUTPUT, DATA_TYPE_MISMATCH, SHAPE_MISMATCH, MALFORMED_REQUEST. */
  admit(request: InferenceRequest): Admitted {
    const given = request.rawInput === undefined ? request.inputs : [this.#rawTensor(request.rawInput)];
    const inputs = this.#orderInputs(given);
    const rows = this.#batched ? this.#rowsOf(inputs) : 1;
    const outputs = request.outputs.length === 0 ? undefined : this.#pickOutputs(request.outputs);
    const { lease } = request;
    const member: BatchMember =
      this.#spec.takesParameters === true && hasAny(request.parameters)
        ? { inputs, rows, lease, parameters: request.parameters }
        : { inputs, rows, lease };
    return { member, batchKey: this.#keys.of(inputs), outputs };
  }

  #orderInputs(given: readonly Tensor[]): (Tensor | undefined)[] {
    const { inputs: specs } = this.#spec;
    const ordered: (Tensor | undefined)[] = new Array(specs.length).fill(undefined);
    let required = 0;
    for (const tensor of given) {
      const index = this.#inputs.get(tensor.name);
      if (index === undefined) throw this.#unknown('UNKNOWN_INPUT', 'input', tensor.name, this.#inputs);
      if (ordered[index] !== undefined) {
        throw new ServingError('MALFORMED_REQUEST', `input '${tensor.name}' is given twice`);
      }
      const spec = specs[index] as TensorSpec;
      this.#check(spec, tensor);
      ordered[index] = tensor;
      if (!spec.optional) required++;
    }
    if (required !== this.#required) throw this.#missing(ordered);
    return ordered;
  }

  #check(spec: TensorSpec, tensor: Tensor): void {
    if (tensor.dataType !== spec.dataType) {
      throw new ServingError(
        'DATA_TYPE_MISMATCH',
        `input '${spec.name}': expected data type ${spec.dataType}, got ${tensor.dataType}`,
      );
    }
    const { shape } = tensor;
    const offset = this.#batched ? 1 : 0;
    let fits = shape.length === spec.dims.length + offset;
    for (let axis = 0; fits && axis < spec.dims.length; axis++) {
      const dim = spec.dims[axis] as number;
      if (dim !== -1 && dim !== shape[axis + offset]) fits = false;
    }
    if (fits) return;
    const expected = this.#batched ? [-1, ...spec.dims] : spec.dims;
    throw new ServingError(
      'SHAPE_MISMATCH',
      `input '${spec.name}': expected shape [${expected.join(',')}], got [${shape.join(',')}]${
        this.#batched ? ' (the first axis is the batch)' : ''
      }`,
    );
  }

  #rowsOf(inputs: readonly (Tensor | undefined)[]): number {
    const { maxBatchSize, batching } = this.#spec;
    const most = batching.maxRequestRows ?? maxBatchSize;
    let first: Tensor | undefined;
    for (const tensor of inputs) {
      if (tensor === undefined) continue;
      if (first === undefined) first = tensor;
      else if (tensor.shape[0] !== first.shape[0]) {
        throw new ServingError(
          'SHAPE_MISMATCH',
          `input '${tensor.name}': expected batch size ${first.shape[0]} as input '${first.name}' has, got ${tensor.shape[0]}`,
        );
      }
    }
    const rows = first?.shape[0] ?? 1;
    if (rows < 1 || rows > most) {
      const whose = most === maxBatchSize ? "the model's max_batch_size" : `in parts of ${maxBatchSize}`;
      throw new ServingError(
        'SHAPE_MISMATCH',
        `input '${first?.name}': expected a batch size from 1 to ${most} (${whose}), got ${rows}`,
      );
    }
    return rows;
  }

  #pickOutputs(asked: readonly OutputRequest[]): PickedOutput[] {
    const picked: PickedOutput[] = [];
    const seen = new Set<number>();
    for (const { name, classification } of asked) {
      const index = this.#outputs.get(name);
      if (index === undefined) throw this.#unknown('UNKNOWN_OUTPUT', 'output', name, this.#outputs);
      if (seen.has(index)) throw new ServingError('MALFORMED_REQUEST', `output '${name}' is asked for twice`);
      seen.add(index);
      picked.push({ index, classification });
    }
    return picked;
  }

  /** The raw binary form: one input, at most one variable axis (BYTES: one element), batch 1 (binary data extension). */
  #rawTensor(data: Uint8Array): Tensor {
    const spec = this.#spec.inputs[0];
    if (spec === undefined || this.#spec.inputs.length !== 1) {
      throw new ServingError(
        'MALFORMED_REQUEST',
        `a raw binary body needs a model with exactly one input; '${this.#spec.id.model}' has ${this.#spec.inputs.length}`,
      );
    }
    const variable = spec.dims.filter((dim) => dim === -1).length;
    const batch = this.#batched ? [1] : [];
    if (spec.dataType === 'BYTES') {
      if (spec.dims.length > 1 || (spec.dims[0] ?? 1) > 1) {
        throw new ServingError(
          'MALFORMED_REQUEST',
          `input '${spec.name}': a raw binary body needs one BYTES element of shape [1]`,
        );
      }
      const element = new Uint8Array(4 + data.byteLength);
      new DataView(element.buffer).setUint32(0, data.byteLength, true);
      element.set(data, 4);
      return { name: spec.name, dataType: 'BYTES', shape: [...batch, ...spec.dims.map(() => 1)], data: element };
    }
    if (variable > 1) {
      throw new ServingError(
        'MALFORMED_REQUEST',
        `input '${spec.name}': a raw binary body needs at most one variable axis, the model has ${variable}`,
      );
    }
    const fixedBytes = byteSize(
      spec.dataType,
      spec.dims.map((dim) => (dim === -1 ? 1 : dim)),
    );
    const size = variable === 1 && fixedBytes > 0 ? data.byteLength / fixedBytes : 1;
    if (!Number.isInteger(size) || (variable === 0 && data.byteLength !== fixedBytes)) {
      throw new ServingError(
        'SHAPE_MISMATCH',
        `input '${spec.name}': expected ${variable === 1 ? 'a multiple of ' : ''}${fixedBytes} bytes, got ${data.byteLength}`,
      );
    }
    return {
      name: spec.name,
      dataType: spec.dataType,
      shape: [...batch, ...spec.dims.map((d) => (d === -1 ? size : d))],
      data,
    };
  }

  #missing(ordered: readonly (Tensor | undefined)[]): ServingError {
    const names = this.#spec.inputs
      .filter((spec, i) => !spec.optional && ordered[i] === undefined)
      .map((s) => `'${s.name}'`);
    const given = ordered.filter((tensor) => tensor !== undefined).length;
    return new ServingError(
      'MISSING_INPUT',
      `model '${this.#spec.id.model}': expected ${this.#required} inputs, got ${given}; missing: ${names.join(', ')}`,
    );
  }

  #unknown(
    reason: 'UNKNOWN_INPUT' | 'UNKNOWN_OUTPUT',
    what: string,
    name: string,
    known: ReadonlyMap<string, number>,
  ): ServingError {
    const shown = name.length > 100 ? `${name.slice(0, 100)}...` : name;
    const list = [...known.keys()]
      .slice(0, 20)
      .map((k) => `'${k}'`)
      .join(', ');
    return new ServingError(
      reason,
      `unexpected ${what} '${shown}' for model '${this.#spec.id.model}'; it has: ${list}`,
    );
  }
}

function hasAny(parameters: Parameters): boolean {
  for (const _ in parameters) return true;
  return false;
}
