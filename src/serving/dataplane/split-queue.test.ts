import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { echo, FakeExecutor } from '../../../test/support/fake-executor.js';
import { NOT_SLOW } from '../../../test/support/not-slow.js';
import { fp32, modelSpec, policy, request, tensorSpec } from '../../../test/support/specs.js';
import {
  bytesElements,
  type InferenceRequest,
  type Reason,
  ServingError,
  serialiseBytes,
  type Tensor,
} from '../../core/index.js';
import { Batcher } from '../batcher/index.js';
import { Dataplane, ServedVersion } from './index.js';

const MS = 1e6;

/** A model of at most 4 rows an execution that gives its input back; larger requests are split. */
function setup(
  changes: { dataType?: 'FP32' | 'BYTES'; maxQueueSize?: number; fails?: (rows: number) => boolean } = {},
) {
  const { dataType = 'FP32', maxQueueSize = 100, fails = () => false } = changes;
  const clock = new FakeClock();
  const executor = new FakeExecutor({
    clock,
    slots: 2,
    serviceNs: () => MS,
    cancelNs: 1,
    compute: (batch) => (fails(batch.rows) ? new ServingError('EXECUTOR_LOST', 'lost') : echo(batch)),
  });
  const counted = { succeeded: [] as number[], failed: [] as Reason[] };
  const metrics = {
    succeeded: (rows: number) => counted.succeeded.push(rows),
    routed: () => {},
    failed: (reason: Reason) => counted.failed.push(reason),
    executed() {},
    setQueueDepth() {},
    ...NOT_SLOW,
  };
  const spec = modelSpec({
    inputs: [tensorSpec('x', dataType, [2])],
    outputs: [tensorSpec('y', dataType, [2])],
    batching: policy({ maxRequestRows: 256 }),
  });
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize });
  const figures = { version: () => metrics, refused() {} };
  const dataplane = new Dataplane({ clock, metrics: figures, whyAbsent: () => undefined });
  dataplane.publish('m', [new ServedVersion(spec, batcher, metrics)]);
  const answers: (Tensor | Reason)[] = [];
  const send = (input: Tensor, more: Partial<InferenceRequest> = {}) =>
    dataplane.infer(request({ inputs: [input], receivedNs: clock.nowNs(), decodedNs: clock.nowNs(), ...more }), {
      done: ({ outputs: [y] }) => answers.push({ ...(y as Tensor), data: (y as Tensor).data.slice() }),
      failed: ({ reason }) => answers.push(reason),
    });
  return { clock, executor, batcher, answers, counted, send };
}

const rowsFrom = (first: number, rows: number) =>
  fp32(
    'x',
    [rows, 2],
    Array.from({ length: rows * 2 }, (_, i) => first + i),
  );

describe('a request of more rows than an execution may have', () => {
  it('is answered as one, row by row, from parts that share executions with others', () => {
    const { clock, send, answers, executor, counted } = setup();
    send(rowsFrom(1000, 1));
    send(rowsFrom(0, 10));
    send(rowsFrom(2000, 2));
    clock.advance(10 * MS);
    const large = answers.find((one) => typeof one === 'object' && one.shape[0] === 10) as Tensor;
    expect(large.data).toEqual(rowsFrom(0, 10).data);
    expect(answers).toHaveLength(3);
    expect(counted).toEqual({ succeeded: expect.arrayContaining([1, 10, 2]), failed: [] });
    expect(Math.max(...executor.executions.map(({ batch }) => batch.rows))).toBe(4);
  });

  it('is split between elements of any length', () => {
    const { clock, send, answers } = setup({ dataType: 'BYTES' });
    const texts = Array.from({ length: 18 }, (_, i) => new Uint8Array(i % 5).fill(i));
    send({ name: 'x', dataType: 'BYTES', shape: [9, 2], data: serialiseBytes(texts) });
    clock.advance(10 * MS);
    const [large] = answers as [Tensor];
    expect(large.shape).toEqual([9, 2]);
    expect(bytesElements(large.data)).toEqual(texts);
  });

  it('fails once where a part fails, and stops the others', () => {
    const { clock, send, answers, executor, counted, batcher } = setup({ fails: (rows) => rows === 2 });
    send(rowsFrom(0, 10));
    clock.advance(1.5 * MS);
    expect(answers).toEqual([]);
    clock.advance(10 * MS);
    expect(answers).toEqual(['EXECUTOR_LOST']);
    expect(counted.failed).toEqual(['EXECUTOR_LOST']);
    expect([batcher.depth, executor.busy]).toEqual([0, 0]);
  });

  it('leaves nothing behind where the queue takes only some of its parts', () => {
    const { clock, send, answers, batcher, executor } = setup({ maxQueueSize: 3 });
    send(rowsFrom(0, 40));
    expect(answers).toEqual(['QUEUE_FULL']);
    expect(batcher.depth).toBe(0);
    clock.advance(10 * MS);
    expect([answers.length, executor.busy]).toEqual([1, 0]);
  });

  it('goes with its caller, and at its deadline, whole', () => {
    const { clock, send, answers, batcher, executor } = setup();
    const handle = send(rowsFrom(0, 20));
    handle.cancel();
    expect([answers, batcher.depth]).toEqual([['CLIENT_CANCELLED'], 0]);
    clock.advance(10 * MS);
    send(rowsFrom(0, 20), { deadlineNs: clock.nowNs() + 1.5 * MS });
    clock.advance(10 * MS);
    expect([answers, batcher.depth, executor.busy]).toEqual([['CLIENT_CANCELLED', 'DEADLINE_EXCEEDED'], 0, 0]);
  });

  it('is refused past the bound on its parts', () => {
    const { send, answers } = setup();
    send(rowsFrom(0, 257));
    expect(answers).toEqual(['SHAPE_MISMATCH']);
  });
});
