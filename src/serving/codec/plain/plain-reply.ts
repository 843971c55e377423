import {
  DATA_TYPES,
  elementCount,
  endOfBytesElement,
  type InferenceResponse,
  type ModelSpec,
  ServingError,
  type Tensor,
  type TensorSpec,
  typedView,
} from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { writeNested } from '../predict-rest/nested-text.js';
import type { ReplyRoom } from '../reply-room.js';
import { JsonWriter, quoted } from '../v2-rest/json-writer.js';
import { isOneValue } from './column.js';
import { highest } from './highest.js';

export interface PlainReplyOptions {
  /** Whether the answer is an array of rows. */
  readonly batch: boolean;
  /** Whether NaN and infinities may be written as bare words. */
  readonly allowNan: boolean;
  readonly room: ReplyRoom;
}

const writer = new JsonWriter();

/**
 * Encodes an answer as ordinary JSON, by the spec of the version that gave it: of each row an object of its outputs, or the only one
 * without its name where the config says so; arrays nested as a row's shape is, the value alone where a row is one. Throws
 * SHAPE_MISMATCH where an output has not a row for each, UNSUPPORTED for NaN and infinities unless they are allowed.
 */
export function encodePlainReply({ outputs }: InferenceResponse, spec: ModelSpec, options: PlainReplyOptions): Buffer {
  writer.reset();
  const batched = spec.maxBatchSize > 0;
  const rows = batched ? (outputs[0]?.shape[0] ?? 0) : 1;
  const columns = outputs.map((output) => new OutputColumn(output, spec, batched, rows, options.allowNan));
  const bare = spec.plainAnswer?.bare === true && columns.length === 1;
  if (options.batch) writer.text('[');
  for (let row = 0; row < rows; row++) {
    if (row > 0) writer.text(',');
    for (const [index, column] of columns.entries()) {
      if (!bare) writer.text(`${index === 0 ? '{' : ','}${quoted(column.name)}:`);
      column.writeRow();
    }
    if (!bare) writer.text(columns.length === 0 ? '{}' : '}');
  }
  if (options.batch) writer.text(']');
  return writer.take(0, options.room);
}

/** One output, written row by row. */
class OutputColumn {
  readonly name: string;
  readonly #output: Tensor;
  /** Of a row, as it is written: empty where it is one value. */
  readonly #shape: readonly number[];
  readonly #labels: readonly string[] | undefined;
  readonly #top: number;
  readonly #allowNan: boolean;
  readonly #rowBytes: number;
  readonly #rowElements: number;
  #at = 0;

  constructor(output: Tensor, spec: ModelSpec, batched: boolean, rows: number, allowNan: boolean) {
    const declared = spec.outputs.find(({ name }) => name === output.name);
    if (batched && (output.shape.length === 0 || output.shape[0] !== rows))
      throw new ServingError(
        'SHAPE_MISMATCH',
        `output ${shown(output.name)}: shape [${output.shape}] has not a row for each of ${rows}`,
      );
    this.name = output.name;
    this.#output = output;
    const row = batched ? output.shape.slice(1) : output.shape;
    this.#shape = isAlone(declared, row) ? [] : row;
    this.#labels = declared?.labels;
    this.#top = spec.plainAnswer?.top[output.name] ?? 0;
    this.#allowNan = allowNan;
    this.#rowElements = elementCount(row);
    this.#rowBytes = this.#rowElements * DATA_TYPES[output.dataType].elementBytes;
  }

  writeRow(): void {
    const { dataType, data } = this.#output;
    const start = this.#at;
    this.#at = dataType === 'BYTES' ? this.#endOfTexts(start) : start + this.#rowBytes;
    const row = { name: this.name, dataType, shape: this.#shape, data: data.subarray(start, this.#at) };
    if (!this.#allowNan) refuseNotFinite(row);
    if (this.#top > 0) this.#writeTop(row);
    else writeNested(writer, row, false);
  }

  #writeTop(row: Tensor): void {
    const { elementBytes } = DATA_TYPES[row.dataType];
    const values = typedView(row.dataType, row.data);
    writer.text('[');
    for (const [place, index] of highest(values, this.#top).entries()) {
      const label = this.#labels?.[index];
      writer.text(
        `${place > 0 ? ',' : ''}{${label === undefined ? '' : `"label":${quoted(label)},`}"index":${index},"value":`,
      );
      const data = row.data.subarray(index * elementBytes, (index + 1) * elementBytes);
      writeNested(writer, { ...row, shape: [], data }, false);
      writer.text('}');
    }
    writer.text(']');
  }

  #endOfTexts(start: number): number {
    let end = start;
    for (let left = this.#rowElements; left > 0; left--) end = endOfBytesElement(this.#output.data, end);
    return end;
  }
}

function isAlone(spec: TensorSpec | undefined, row: readonly number[]): boolean {
  return spec !== undefined && isOneValue(spec) && elementCount(row) === 1;
}

function refuseNotFinite({ name, dataType, data }: Tensor): void {
  if (DATA_TYPES[dataType].json !== 'float') return;
  const values = typedView(dataType, data) as Float32Array;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value - value === 0) continue;
    throw new ServingError(
      'UNSUPPORTED',
      `output ${shown(name)}: element ${i} is ${value}, which JSON cannot carry; start the server with --json-nan, or use V2 with binary data`,
    );
  }
}
