import {
  type Batch,
  type BatchHandle,
  type BatchMember,
  type BatchOutcome,
  byteSize,
  type Executor,
  elementCount,
  endOfBytesElement,
  ServingError,
  type Tensor,
  toServingError,
} from '../../core/index.js';
import type { SlottedMember } from './held-request.js';

/** The inputs of a row that no request has in an execution, in the shapes of `like`. */
export type FillRow = (like: BatchMember) => readonly (Tensor | undefined)[];

/**
 * An instance as the direct strategy uses it: row i of every execution belongs to the sequence in slot i, so that a model may
 * keep state by row. Rows between that have no request are filled and marked as not ready; their outputs reach nobody.
 */
export class SlotExecutor implements Executor {
  readonly #executor: Executor;
  readonly #fill: FillRow;

  constructor(executor: Executor, fill: FillRow) {
    this.#executor = executor;
    this.#fill = fill;
  }

  set onSlotFree(listener: () => void) {
    this.#executor.onSlotFree = listener;
  }

  get onSlotFree(): () => void {
    return this.#executor.onSlotFree;
  }

  freeSlots(): number {
    return this.#executor.freeSlots();
  }

  slots(): number {
    return this.#executor.slots();
  }

  nextDevice(): string | undefined {
    return this.#executor.nextDevice?.();
  }

  execute(batch: Batch, settle: (outcome: BatchOutcome) => void): BatchHandle {
    const members = batch.members as readonly SlottedMember[];
    const rows = 1 + Math.max(...members.map(({ slot }) => slot));
    if (rows === members.length && members.every(({ slot }, i) => slot === i)) {
      return this.#executor.execute(batch, settle);
    }
    const bySlot: (BatchMember | undefined)[] = new Array(rows).fill(undefined);
    for (const member of members) bySlot[member.slot] = member;
    const [like] = members as readonly [SlottedMember];
    const filled = bySlot.map((member) => member ?? { inputs: this.#fill(like), rows: 1 });
    const placed: Batch = Object.freeze({ version: batch.version, members: filled, rows });
    return this.#executor.execute(placed, (outcome) => settle(inOrder(outcome, members, rows)));
  }
}

/** The outcome as the batch's own members expect it: their rows, in their order. */
function inOrder(outcome: BatchOutcome, members: readonly SlottedMember[], rows: number): BatchOutcome {
  if (outcome.kind === 'failed') return outcome;
  try {
    return { ...outcome, outputs: outcome.outputs.map((output) => rowsOf(output, members, rows)) };
  } catch (thrown) {
    return { kind: 'failed', error: toServingError(thrown), timing: outcome.timing };
  }
}

/** A copy. Throws OUTPUT_SHAPE_MISMATCH where the output has not a row for each that ran. */
function rowsOf(output: Tensor, members: readonly SlottedMember[], rows: number): Tensor {
  const { dataType, shape, data } = output;
  if (shape[0] !== rows) throw mismatch(output, `has shape [${shape.join(',')}], expected ${rows} rows`);
  const at = dataType === 'BYTES' ? textRows(output, rows) : fixedRows(output, rows);
  let bytes = 0;
  for (const { slot } of members) bytes += (at[slot + 1] as number) - (at[slot] as number);
  const own = new Uint8Array(bytes);
  let end = 0;
  for (const { slot } of members) {
    const row = data.subarray(at[slot], at[slot + 1]);
    own.set(row, end);
    end += row.byteLength;
  }
  return { ...output, shape: [members.length, ...shape.slice(1)], data: own };
}

/** Where each row begins, and where the last ends. */
function fixedRows(output: Tensor, rows: number): readonly number[] {
  const { dataType, shape, data } = output;
  const bytes = byteSize(dataType, shape);
  if (data.byteLength !== bytes) throw mismatch(output, `has ${data.byteLength} bytes, expected ${bytes}`);
  return Array.from({ length: rows + 1 }, (_, row) => (bytes / rows) * row);
}

function textRows(output: Tensor, rows: number): readonly number[] {
  const elements = elementCount(output.shape) / rows;
  const at = [0];
  for (let row = 0, end = 0; row < rows; row++) {
    for (let left = elements; left > 0; left--) {
      end = endOfBytesElement(output.data, end);
      if (end < 0) throw mismatch(output, `ends before its ${elements * rows} elements do`);
    }
    at.push(end);
  }
  return at;
}

function mismatch({ name }: Tensor, what: string): ServingError {
  return new ServingError('OUTPUT_SHAPE_MISMATCH', `output '${name}' of the model ${what}`);
}
