import {
  DATA_TYPES,
  elementCount,
  endOfBytesElement,
  type InferenceResponse,
  ServingError,
  type Tensor,
} from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import type { ReplyRoom } from '../reply-room.js';
import { JsonWriter, quoted } from '../v2-rest/json-writer.js';
import { writeNested } from './nested-text.js';
import type { PredictBody } from './predict-body.js';

const writer = new JsonWriter();

/**
 * Encodes the answer to a body of `:predict`, in its form: `{"predictions": [...]}` for rows, `{"outputs": ...}` for columns; a
 * model's only output without its name. Outputs whose names end in `_bytes` are sent as base64. Throws SHAPE_MISMATCH for rows
 * where an output has not a row for each.
 */
export function encodePredictReply(
  { outputs }: InferenceResponse,
  kind: PredictBody['kind'],
  room: ReplyRoom,
  rowsKey: 'predictions' | 'explanations' = 'predictions',
): Buffer {
  writer.reset();
  const [only] = outputs;
  if (kind === 'columns') {
    writer.text('{"outputs":');
    if (outputs.length === 1) writeOutput(only as Tensor);
    else writeNamed(outputs);
  } else {
    const rows = rowsOf(outputs);
    writer.text(`{"${rowsKey}":`);
    if (outputs.length === 1) writeOutput(only as Tensor);
    else writeRows(outputs, rows);
  }
  writer.text('}');
  return writer.take(0, room);
}

function writeOutput(tensor: Tensor): void {
  writeNested(writer, tensor, tensor.name.endsWith('_bytes'));
}

function writeNamed(outputs: readonly Tensor[]): void {
  for (const [index, output] of outputs.entries()) {
    writer.text(`${index === 0 ? '{' : ','}${quoted(output.name)}:`);
    writeOutput(output);
  }
  writer.text(outputs.length === 0 ? '{}' : '}');
}

function writeRows(outputs: readonly Tensor[], rows: number): void {
  const ends = new Array<number>(outputs.length).fill(0);
  writer.text('[');
  for (let row = 0; row < rows; row++) {
    if (row > 0) writer.text(',');
    writeNamed(
      outputs.map((output, index) => {
        const start = ends[index] as number;
        const end = endOfRow(output, start, rows);
        ends[index] = end;
        return { ...output, shape: output.shape.slice(1), data: output.data.subarray(start, end) };
      }),
    );
  }
  writer.text(']');
}

function endOfRow({ dataType, shape, data }: Tensor, start: number, rows: number): number {
  if (DATA_TYPES[dataType].elementBytes > 0) return start + data.byteLength / rows;
  let end = start;
  for (let left = elementCount(shape.slice(1)); left > 0; left--) end = endOfBytesElement(data, end);
  return end;
}

function rowsOf(outputs: readonly Tensor[]): number {
  const rows = outputs[0]?.shape[0] ?? 0;
  for (const { name, shape } of outputs) {
    if (shape.length > 0 && shape[0] === rows) continue;
    throw new ServingError(
      'SHAPE_MISMATCH',
      `output ${shown(name)}: shape [${shape}] has not a row for each instance; send "inputs" to get whole outputs`,
    );
  }
  return rows;
}
