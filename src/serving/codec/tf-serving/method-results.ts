import {
  bytesElements,
  DATA_TYPES,
  elementCount,
  type InferenceResponse,
  type ModelSpec,
  ServingError,
  type Tensor,
  typedView,
} from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { widened } from '../predict-rest/nested-text.js';

/** Scores of each example, row by row, and the labels that stand for them. */
export interface ClassifiedRows {
  readonly rows: number;
  readonly classes: number;
  /** FP32 or FP64, `rows * classes` elements. */
  readonly scores: Tensor;
  /** Of the class of row and place; empty: it has none. */
  label(row: number, place: number): string;
}

/**
 * What `Classify` answers of a model's outputs. Scores: the output `scores`, else the only one of floats with two axes; labels: the BYTES output
 * `classes`, else the labels of the model's config, else none. Throws UNSUPPORTED where the outputs do not tell.
 */
export function classifiedRows({ outputs }: InferenceResponse, spec: Pick<ModelSpec, 'outputs'>): ClassifiedRows {
  const scores = picked(
    outputs,
    'scores',
    (shape) => shape.length === 2,
    'classify',
    'with the axes example and class',
  );
  const [rows = 0, classes = 0] = scores.shape;
  const given = outputs.find(({ name, dataType }) => name === 'classes' && dataType === 'BYTES');
  if (given !== undefined && elementCount(given.shape) === rows * classes) {
    const labels = bytesElements(given.data).map((bytes) => Buffer.from(bytes).toString('utf8'));
    return { rows, classes, scores, label: (row, place) => labels[row * classes + place] ?? '' };
  }
  const labels = spec.outputs.find(({ name }) => name === scores.name)?.labels ?? [];
  return { rows, classes, scores, label: (_, place) => labels[place] ?? '' };
}

/** What `Regress` answers: a float for each example, of the output `outputs`, else of the only one with one float a row. */
export function regressedRows({ outputs }: InferenceResponse): Tensor {
  return picked(
    outputs,
    'outputs',
    (shape) => shape.length === 1 || (shape.length === 2 && shape[1] === 1),
    'regress',
    'with one value for each example',
  );
}

function picked(
  outputs: readonly Tensor[],
  name: string,
  fits: (shape: readonly number[]) => boolean,
  method: string,
  what: string,
): Tensor {
  const able = outputs.filter(({ dataType, shape }) => isFloat(dataType) && fits(shape));
  const found = able.find((output) => output.name === name) ?? (able.length === 1 ? able[0] : undefined);
  if (found !== undefined) return DATA_TYPES[found.dataType].json === 'none' ? widened(found) : found;
  throw new ServingError(
    'UNSUPPORTED',
    `${method} needs an output ${shown(name)}, or one only, of floats ${what}; this model has ${able.length} of them: use predict`,
  );
}

function isFloat(dataType: Tensor['dataType']): boolean {
  return dataType === 'FP32' || dataType === 'FP64' || dataType === 'FP16' || dataType === 'BF16';
}

/** The values of a tensor of FP32 or FP64. */
export function floatsOf({ dataType, data }: Tensor): Float32Array | Float64Array {
  return typedView(dataType, data) as Float32Array | Float64Array;
}
