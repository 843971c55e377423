import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { fp32 } from '../../../test/support/specs.js';
import { type Batch, type BatchOutcome, serialiseBytes, type Tensor, typedView } from '../../core/index.js';
import type { SlottedMember } from './held-request.js';
import { SlotExecutor } from './slot-executor.js';

const member = (slot: number, value: number): SlottedMember => ({
  inputs: [fp32('x', [1, 1], [value])],
  rows: 1,
  slot,
});

/** Runs members of slots over a model that gives `outputs` for the rows it is given. */
function run(members: readonly SlottedMember[], outputs: (batch: Batch) => readonly Tensor[]): [BatchOutcome, Batch] {
  const clock = new FakeClock();
  const executor = new FakeExecutor({ clock, serviceNs: () => 1, compute: outputs });
  const slots = new SlotExecutor(executor, ({ inputs }) => inputs.map(() => fp32('x', [1, 1], [-1])));
  const batch = { version: { model: 'm', version: 1 }, members, rows: members.length };
  let ended: BatchOutcome | undefined;
  slots.execute(batch, (outcome) => {
    // Outputs are valid only now.
    ended = outcome.kind === 'done' ? structuredClone(outcome) : outcome;
  });
  clock.advance(10);
  const [execution] = executor.executions;
  return [ended as BatchOutcome, execution?.batch as Batch];
}

const values = (tensor: Tensor | undefined) =>
  tensor === undefined ? [] : [...typedView(tensor.dataType, tensor.data)];
const rowsOf = (batch: Batch) => batch.members.flatMap(({ inputs }) => values(inputs[0]));
const echoed = (batch: Batch) => [fp32('y', [batch.rows, 1], rowsOf(batch).map(Number))];

describe('rows by slot', () => {
  it('stand where their sequences are, and come back in the order of the batch', () => {
    const [outcome, batch] = run([member(3, 30), member(0, 1)], echoed);
    expect(rowsOf(batch)).toEqual([1, -1, -1, 30]);
    expect(batch.rows).toBe(4);
    expect(outcome.kind === 'done' && values(outcome.outputs[0])).toEqual([30, 1]);
    expect(outcome.kind === 'done' && outcome.outputs[0]?.shape).toEqual([2, 1]);
  });

  it('are left alone where they stand in order already', () => {
    const [, batch] = run([member(0, 1), member(1, 2)], echoed);
    expect(rowsOf(batch)).toEqual([1, 2]);
  });

  it('of texts are told apart by their lengths', () => {
    const texts = (batch: Batch): Tensor[] => {
      const data = serialiseBytes(rowsOf(batch).map((value) => Buffer.from('x'.repeat(Math.max(Number(value), 0)))));
      return [{ name: 'y', dataType: 'BYTES', shape: [batch.rows, 1], data }];
    };
    const [outcome] = run([member(2, 5), member(0, 3)], texts);
    expect(outcome.kind === 'done' && outcome.outputs[0]?.data).toEqual(
      new Uint8Array(serialiseBytes([Buffer.from('xxxxx'), Buffer.from('xxx')])),
    );
  });

  it.each([
    ['rows', (batch: Batch) => [fp32('y', [batch.rows - 1, 1])]],
    ['bytes', (batch: Batch) => [{ ...fp32('y', [batch.rows, 1]), data: new Uint8Array(3) }]],
  ])('of which the model gives too few %s fail, and nobody gets those of another', (_, outputs) => {
    const [outcome] = run([member(2, 5), member(0, 3)], outputs);
    expect(outcome.kind === 'failed' && outcome.error.reason).toBe('OUTPUT_SHAPE_MISMATCH');
  });
});
