import { DATA_TYPES, ServingError, serialiseBytes, type Tensor, type TensorSpec, typedView } from '../../core/index.js';

/**
 * Classification extension: of each row of an output `[batch, ...]` the `k` highest values as BYTES
 * `"<value>:<index>[:<label>]"`, highest first, shape `[batch, min(k, classes)]`. Without a batch axis the shape is
 * `[min(k, classes)]`. Source: Triton `extension_classification.md`. Throws UNSUPPORTED for types without an order.
 */
export function classify(output: Tensor, spec: TensorSpec, k: number, batched: boolean): Tensor {
  const form = DATA_TYPES[output.dataType].json;
  if (form === 'string' || form === 'none' || form === 'boolean') {
    throw new ServingError(
      'UNSUPPORTED',
      `output '${spec.name}': classification needs a numeric data type, the model gives ${output.dataType}`,
    );
  }
  const values = typedView(output.dataType, output.data);
  const rows = batched ? (output.shape[0] as number) : 1;
  const classes = rows === 0 ? 0 : values.length / rows;
  const taken = Math.min(k, classes);
  const elements: Uint8Array[] = [];
  for (let row = 0; row < rows; row++) {
    const at = row * classes;
    for (const index of highest(values, at, classes, taken)) {
      const label = spec.labels?.[index];
      const value = printed(values[at + index] as number | bigint, output.dataType);
      elements.push(UTF8.encode(label === undefined ? `${value}:${index}` : `${value}:${index}:${label}`));
    }
  }
  return {
    name: output.name,
    dataType: 'BYTES',
    shape: batched ? [rows, taken] : [taken],
    data: serialiseBytes(elements),
  };
}

const UTF8 = new TextEncoder();

/** Indices of the `taken` highest of `count` values from `at`; ties by lower index, NaN last. */
function highest(values: ArrayLike<number | bigint>, at: number, count: number, taken: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  order.sort((a, b) => {
    const x = values[at + a] as number;
    const y = values[at + b] as number;
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b;
    return x === y ? a - b : x < y ? 1 : -1;
  });
  return order.slice(0, taken);
}

/** Floats as Triton prints them (`std::to_string`: six decimals); integers exactly. */
function printed(value: number | bigint, dataType: Tensor['dataType']): string {
  return DATA_TYPES[dataType].json === 'float' ? (value as number).toFixed(6) : String(value);
}
