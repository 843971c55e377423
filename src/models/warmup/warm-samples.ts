import {
  type BatchMember,
  byteSize,
  countBytesElements,
  DATA_TYPES,
  elementCount,
  type ModelSpec,
  ServingError,
  type Tensor,
  type TensorSpec,
} from '../../core/index.js';
import { type ConfigWarmup, showDims } from '../completion/config-parts.js';
import { readContained } from '../repository/contained-path.js';
import type { ModelPlace } from '../repository/folders.js';
import { randomElements } from './random-bytes.js';

/** A warm-up request and how often every instance runs it. */
export interface WarmSample {
  readonly name: string;
  readonly member: BatchMember;
  readonly count: number;
}

type WarmInput = NonNullable<ConfigWarmup['inputs']>[string];

const FOLDER = 'warmup';
const MOST_SAMPLE_BYTES = 2 ** 30;

/**
 * Makes the samples of `model_warmup` (`GenerateWarmupData` in backend_model_instance.cc): `batch_size` rows of the same
 * data; 0 rows are skipped where the model batches. Files lie in the folder `warmup` of the model. Throws MODEL_INVALID.
 */
export async function warmSamples(
  settings: readonly ConfigWarmup[],
  spec: ModelSpec,
  place: ModelPlace,
): Promise<WarmSample[]> {
  const samples: WarmSample[] = [];
  for (const [index, setting] of settings.entries()) {
    const name = setting.name === undefined || setting.name === '' ? `#${index}` : setting.name;
    const rows = rowsOf(setting, spec, name);
    if (rows === 0) continue;
    const known = new Set(spec.inputs.map((input) => input.name));
    const foreign = Object.keys(setting.inputs ?? {}).find((input) => !known.has(input));
    if (foreign !== undefined) throw invalid(name, `the model has no input '${foreign}'`);
    const inputs: (Tensor | undefined)[] = [];
    for (const [position, input] of spec.inputs.entries()) {
      const given = setting.inputs?.[input.name];
      if (given !== undefined) inputs.push(await tensorOf(input, given, rows, spec, place, name, position));
      else if (input.optional) inputs.push(undefined);
      else throw invalid(name, `input '${input.name}' is missing`);
    }
    samples.push({ name, member: { inputs, rows }, count: Math.max(setting.count ?? 1, 1) });
  }
  return samples;
}

function rowsOf(setting: ConfigWarmup, spec: ModelSpec, name: string): number {
  const given = setting.batch_size;
  if (spec.maxBatchSize === 0) {
    if ((given ?? 1) <= 1) return 1;
    throw invalid(name, `batch_size is ${given}, but the model does not batch`);
  }
  const rows = given ?? 1;
  if (rows <= spec.maxBatchSize) return rows;
  throw invalid(name, `batch_size ${rows} is above max_batch_size ${spec.maxBatchSize}`);
}

async function tensorOf(
  input: TensorSpec,
  given: WarmInput,
  rows: number,
  spec: ModelSpec,
  place: ModelPlace,
  sample: string,
  position: number,
): Promise<Tensor> {
  const { dataType } = input;
  const expected = DATA_TYPES[dataType].tritonName;
  if (given.data_type !== expected) {
    throw invalid(sample, `input '${input.name}' has data type ${expected}, got ${given.data_type}`);
  }
  const dims = given.dims ?? [];
  const fits =
    dims.length === input.dims.length && dims.every((dim, i) => input.dims[i] === -1 || dim === input.dims[i]);
  if (!fits || dims.some((dim) => dim < 0)) {
    throw invalid(sample, `input '${input.name}' has dims ${showDims(input.dims)}, got ${showDims(dims)}`);
  }
  const elements = elementCount(dims);
  const rowBytes = dataType === 'BYTES' ? elements * 4 : byteSize(dataType, dims);
  if (rowBytes * rows > MOST_SAMPLE_BYTES) {
    throw invalid(
      sample,
      `input '${input.name}' needs ${rowBytes * rows} bytes, at most ${MOST_SAMPLE_BYTES} are possible`,
    );
  }
  const row =
    given.input_data_file !== undefined && given.input_data_file !== ''
      ? await fileRow(input, given.input_data_file, elements, rowBytes, place, sample)
      : given.random_data === true
        ? randomElements(dataType, elements, position + 1)
        : given.zero_data === true
          ? new Uint8Array(rowBytes)
          : undefined;
  if (row === undefined) throw invalid(sample, `input '${input.name}' needs zero_data, random_data or input_data_file`);
  return {
    name: input.name,
    dataType,
    shape: spec.maxBatchSize > 0 ? [rows, ...dims] : [...dims],
    data: repeat(row, rows),
  };
}

async function fileRow(
  input: TensorSpec,
  file: string,
  elements: number,
  rowBytes: number,
  place: ModelPlace,
  sample: string,
): Promise<Uint8Array> {
  const shown = `warm-up sample '${sample}': file ${FOLDER}/${file}`;
  const data = await readContained(place.root, place.folder, `${FOLDER}/${file}`, shown, MOST_SAMPLE_BYTES);
  if (input.dataType === 'BYTES') {
    const count = countBytesElements(data);
    if (count === elements) return data;
    throw invalid(
      sample,
      `file ${FOLDER}/${file} holds ${count < 0 ? 'broken' : count} BYTES elements, expected ${elements}`,
    );
  }
  if (data.byteLength >= rowBytes) return data.subarray(0, rowBytes);
  throw invalid(sample, `file ${FOLDER}/${file} has ${data.byteLength} bytes, expected ${rowBytes}`);
}

function repeat(row: Uint8Array, rows: number): Uint8Array {
  if (rows === 1) return row;
  const data = new Uint8Array(row.byteLength * rows);
  for (let i = 0; i < rows; i++) data.set(row, i * row.byteLength);
  return data;
}

function invalid(sample: string, why: string): ServingError {
  return new ServingError('MODEL_INVALID', `warm-up sample '${sample}': ${why}`);
}
