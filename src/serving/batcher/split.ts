import {
  byteSize,
  elementCount,
  endOfBytesElement,
  executedRows,
  type LengthAxes,
  ServingError,
  type Tensor,
  type TensorSpec,
} from '../../core/index.js';
import { cutBack } from './cut-back.js';
import type { RunningBatch } from './running-batch.js';

/**
 * The rows of each member out of the outputs of its execution, in member order, cut back to the member's own length where
 * the execution was padded: views, copied only where the cut leaves gaps. Members that were settled meanwhile have
 * undefined in their place. Throws `OUTPUT_SHAPE_MISMATCH` before anyone is answered, where an output does not have one
 * row for every row that ran, or does not follow the length it is declared to follow. Cost: linear in members times
 * outputs, and in the elements of BYTES outputs.
 */
export function splitOutputs(
  running: RunningBatch,
  outputs: readonly Tensor[],
  specs: readonly TensorSpec[],
): (Tensor[] | undefined)[] {
  const { batch, entries } = running;
  const parts = entries.map((entry): Tensor[] | undefined => (entry.state === 'running' ? [] : undefined));
  if (running.waiting === 0) return parts;
  const length = batch.padded?.length ?? 0;
  const rows = executedRows(batch);
  outputs.forEach((output, i) => {
    const following = length === 0 ? undefined : specs[i]?.lengthAxes;
    checkRows(output, rows);
    if (following !== undefined) checkLength(output, following, length);
    if (entries.length === 1 && batch.padded === undefined) parts[0]?.push(output);
    else if (output.dataType === 'BYTES') splitBytes(running, output, parts);
    else splitFixed(running, output, parts, following);
  });
  return parts;
}

function checkRows(output: Tensor, rows: number): void {
  const given = output.shape[0];
  if (given !== rows) {
    const came = given === undefined ? 'no batch axis' : `${given} rows`;
    throw mismatch(output, `has ${came}, expected ${rows}, one for each row of the batch`);
  }
  const bytes = byteSize(output.dataType, output.shape);
  if (output.dataType !== 'BYTES' && output.data.byteLength !== bytes) {
    throw mismatch(
      output,
      `has ${output.data.byteLength} bytes, expected ${bytes} for shape [${output.shape.join(',')}]`,
    );
  }
}

function checkLength(output: Tensor, { axes }: LengthAxes, length: number): void {
  for (const axis of axes) {
    if (output.shape[axis] === length) continue;
    const shape = `[${output.shape.join(',')}]`;
    throw mismatch(output, `has shape ${shape}, expected ${length}, the padded length, at axis ${axis}`);
  }
}

function splitFixed(
  running: RunningBatch,
  output: Tensor,
  parts: (Tensor[] | undefined)[],
  following: LengthAxes | undefined,
): void {
  const { batch, entries } = running;
  const rowBytes = output.data.byteLength / executedRows(batch);
  let shape: readonly number[] = [];
  let at = 0;
  for (let i = 0; i < entries.length; i++) {
    const rows = batch.members[i]?.rows as number;
    const end = at + rows * rowBytes;
    // Neighbours mostly have the same number of rows and can share a shape.
    if (shape[0] !== rows) shape = rowsShape(output, rows);
    const whole = { name: output.name, dataType: output.dataType, shape, data: output.data.subarray(at, end) };
    const { length } = entries[i] as RunningBatch['entries'][number];
    const padded = following !== undefined && length !== output.shape[following.axes[0] as number];
    parts[i]?.push(padded ? cutBack(whole, following.axes, length) : whole);
    at = end;
  }
}

function splitBytes(running: RunningBatch, output: Tensor, parts: (Tensor[] | undefined)[]): void {
  const { batch, entries } = running;
  const rows = executedRows(batch);
  const rowElements = elementCount(output.shape) / rows;
  const own: Tensor[] = [];
  let at = 0;
  // The last part is that of the dummy rows: it is walked, and nobody's.
  for (let i = 0; i <= entries.length; i++) {
    const ownRows = batch.members[i]?.rows ?? rows - batch.rows;
    const start = at;
    for (let left = ownRows * rowElements; left > 0; left--) {
      at = endOfBytesElement(output.data, at);
      if (at < 0) throw mismatch(output, `ends before its ${rowElements * rows} elements do`);
    }
    const data = output.data.subarray(start, at);
    own.push({ name: output.name, dataType: 'BYTES', shape: rowsShape(output, ownRows), data });
  }
  if (at !== output.data.byteLength) throw mismatch(output, `has ${output.data.byteLength - at} bytes too many`);
  for (let i = 0; i < entries.length; i++) parts[i]?.push(own[i] as Tensor);
}

function rowsShape(output: Tensor, rows: number): readonly number[] {
  const shape = output.shape.slice();
  shape[0] = rows;
  return shape;
}

function mismatch(output: Tensor, what: string): ServingError {
  return new ServingError('OUTPUT_SHAPE_MISMATCH', `output '${output.name}' of the model ${what}`);
}
