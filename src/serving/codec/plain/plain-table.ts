import { didYouMean, ServingError, type TensorSpec } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { Column } from './column.js';
import type { PlainBody, PlainModel, PlainPictures } from './plain-body.js';

/** The columns of a plain body in the making: what its rows say, input by input. */
export class PlainTable {
  readonly #spec: PlainModel;
  readonly #columns = new Map<string, Column>();

  constructor(spec: PlainModel) {
    this.#spec = spec;
  }

  get columns(): ReadonlyMap<string, Column> {
    return this.#columns;
  }

  /** The column of an input, new or not. Throws UNKNOWN_INPUT. */
  column(name: string, where = ''): Column {
    const existing = this.#columns.get(name);
    if (existing !== undefined) return existing;
    const spec = this.#spec.inputs.find((input) => input.name === name) ?? this.#refuseUnknown(name, where);
    const column = new Column(spec);
    this.#columns.set(name, column);
    return column;
  }

  /** What it all says; `batch`: whether the answer is to be an array. Throws where inputs have different numbers of rows, or none. */
  body(batch: boolean): PlainBody {
    const { id, maxBatchSize } = this.#spec;
    const columns = [...this.#columns.values()];
    const rows = columns[0]?.rows ?? 0;
    if (rows === 0) throw new ServingError('MALFORMED_REQUEST', 'the body has no rows');
    for (const column of columns)
      if (column.rows !== rows)
        throw new ServingError(
          'SHAPE_MISMATCH',
          `input ${shown(column.spec.name)} has ${column.rows} rows, input ${shown(columns[0]?.spec.name ?? '')} ${rows}`,
        );
    const batched = maxBatchSize > 0;
    if (!batched && (batch || rows > 1))
      throw new ServingError('SHAPE_MISMATCH', `model '${id.model}' takes no batches: send one row`);
    return {
      tensors: columns.flatMap((column) => column.tensor(batched) ?? []),
      pictures: columns.flatMap((column): PlainPictures[] => {
        const pictures = column.pictures();
        return pictures === undefined ? [] : [pictures];
      }),
      batch,
      rows,
    };
  }

  #refuseUnknown(name: string, where: string): never {
    const names = this.#spec.inputs.map((input) => input.name);
    throw new ServingError(
      'UNKNOWN_INPUT',
      `input ${shown(name)}${where} is not one of model '${this.#spec.id.model}', which takes ${names.join(', ')}${didYouMean(name, names)}${OTHER_PROTOCOLS[name] ?? ''}`,
    );
  }
}

/** Keys of other protocols' bodies, with where those belong. */
const OTHER_PROTOCOLS: Readonly<Record<string, string>> = {
  instances: ' (a body with "instances" belongs to /v1/models/MODEL:predict)',
  inputs: ' (a body with "inputs" belongs to /v2/models/MODEL/infer, or to /v1/models/MODEL:predict)',
};

/** The input that a value without a name is for. Throws MALFORMED_REQUEST where several want one. */
export function onlyInput({ id, inputs }: PlainModel): TensorSpec {
  const needed = inputs.length === 1 ? inputs : inputs.filter((input) => !input.optional);
  const [only] = needed;
  if (only !== undefined && needed.length === 1) return only;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `a value without a name is for models with one input; model '${id.model}' takes ${inputs.map(({ name }) => name).join(', ')}: send an object`,
  );
}

/** The input that an image without a name is for. Throws UNSUPPORTED_MEDIA where none takes images, MALFORMED_REQUEST where several do. */
export function imageInput({ id, inputs }: PlainModel, what: string): TensorSpec {
  const taking = inputs.filter(({ image }) => image !== undefined);
  const [only] = taking;
  if (only === undefined)
    throw new ServingError(
      'UNSUPPORTED_MEDIA',
      `${what}: model '${id.model}' declares no input that takes images (images in its config)`,
    );
  if (taking.length === 1) return only;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `${what}: model '${id.model}' takes images for ${taking.map(({ name }) => name).join(', ')}: send multipart/form-data with parts of these names`,
  );
}
