import { byteSize, elementCount, endOfBytesElement, ServingError, type Tensor } from '../../core/index.js';
import type { RunningBatch } from './running-batch.js';

/**
 * The rows of each member out of the outputs of its execution, in member order: views, nothing is copied. Members that
 * were settled meanwhile have undefined in their place. Throws `OUTPUT_SHAPE_MISMATCH` before anyone is answered, where an
 * output does not have one row for every row of the batch. Cost: linear in members times outputs, and in the elements of
 * BYTES outputs.
 */
export function splitOutputs(running: RunningBatch, outputs: readonly Tensor[]): (Tensor[] | undefined)[] {
  const { batch, entries } = running;
  const parts = entries.map((entry): Tensor[] | undefined => (entry.state === 'running' ? [] : undefined));
  if (running.waiting === 0) return parts;
  for (const output of outputs) {
    checkRows(output, batch.rows);
    if (entries.length === 1) parts[0]?.push(output);
    else if (output.dataType === 'BYTES') splitBytes(running, output, parts);
    else splitFixed(running, output, parts);
  }
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

function splitFixed(running: RunningBatch, output: Tensor, parts: (Tensor[] | undefined)[]): void {
  const { batch, entries } = running;
  const rowBytes = output.data.byteLength / batch.rows;
  let shape: readonly number[] = [];
  let at = 0;
  for (let i = 0; i < entries.length; i++) {
    const rows = batch.members[i]?.rows as number;
    const end = at + rows * rowBytes;
    // Neighbours mostly have the same number of rows and can share a shape.
    if (shape[0] !== rows) shape = rowsShape(output, rows);
    parts[i]?.push({ name: output.name, dataType: output.dataType, shape, data: output.data.subarray(at, end) });
    at = end;
  }
}

function splitBytes(running: RunningBatch, output: Tensor, parts: (Tensor[] | undefined)[]): void {
  const { batch, entries } = running;
  const rowElements = elementCount(output.shape) / batch.rows;
  const own: Tensor[] = [];
  let at = 0;
  for (let i = 0; i < entries.length; i++) {
    const rows = batch.members[i]?.rows as number;
    const start = at;
    for (let left = rows * rowElements; left > 0; left--) {
      at = endOfBytesElement(output.data, at);
      if (at < 0) throw mismatch(output, `ends before its ${rowElements * batch.rows} elements do`);
    }
    const data = output.data.subarray(start, at);
    own.push({ name: output.name, dataType: 'BYTES', shape: rowsShape(output, rows), data });
  }
  if (at !== output.data.byteLength) throw mismatch(output, `has ${output.data.byteLength - at} bytes too many`);
  for (let i = 0; i < own.length; i++) parts[i]?.push(own[i] as Tensor);
}

function rowsShape(output: Tensor, rows: number): readonly number[] {
  const shape = output.shape.slice();
  shape[0] = rows;
  return shape;
}

function mismatch(output: Tensor, what: string): ServingError {
  return new ServingError('OUTPUT_SHAPE_MISMATCH', `output '${output.name}' of the model ${what}`);
}
