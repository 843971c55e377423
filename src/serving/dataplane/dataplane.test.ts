import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { NOT_SLOW } from '../../../test/support/not-slow.js';
import { fp32, modelSpec, request, tensorSpec } from '../../../test/support/specs.js';
import {
  type InferenceHandle,
  type InferenceRequest,
  type MetricsSink,
  type ModelSpec,
  type Reason,
  ServingError,
} from '../../core/index.js';
import { Batcher } from '../batcher/index.js';
import { Dataplane, ServedVersion } from './index.js';

const MS = 1e6;

/** A whole data path on a fake clock: one execution at once, 1 ms each, that doubles `x` into `y`. */
function dataPath(spec: ModelSpec = modelSpec()) {
  const clock = new FakeClock();
  const counted = {
    succeeded: [] as number[],
    failed: [] as Reason[],
    refused: [] as Reason[],
    executed: [] as number[],
  };
  const figures = {
    succeeded: (rows: number) => counted.succeeded.push(rows),
    failed: (reason: Reason) => counted.failed.push(reason),
    routed: () => {},
    executed: (rows: number) => counted.executed.push(rows),
    setQueueDepth: () => {},
    ...NOT_SLOW,
  };
  const metrics: MetricsSink = { version: () => figures, refused: (reason) => counted.refused.push(reason) };
  const executor = new FakeExecutor({
    clock,
    serviceNs: () => MS,
    compute: (batch) => {
      const rows = batch.members.flatMap(({ inputs: [x] }) => [...new Float32Array(x!.data.slice().buffer)]);
      return [
        fp32(
          'y',
          [batch.rows, 2],
          rows.map((v) => v * 2),
        ),
      ];
    },
  });
  const batcher = new Batcher({ spec, executor, clock, metrics: figures, maxQueueSize: 8 });
  const loading = new ServingError('VERSION_NOT_READY', 'loading');
  const dataplane = new Dataplane({
    clock,
    metrics,
    whyAbsent: (model) => (model === 'loading' ? loading : undefined),
  });
  dataplane.publish('m', [new ServedVersion(spec, batcher, figures)]);

  const answers: { id: string; values?: number[]; reason?: Reason; batchRows?: number }[] = [];
  const send = (id: string, changes: Partial<InferenceRequest> = {}): InferenceHandle =>
    dataplane.infer(request({ id, receivedNs: clock.nowNs(), decodedNs: clock.nowNs(), ...changes }), {
      done: ({ id: echoed, outputs, batchRows }) => {
        const values = outputs.flatMap((t) => [...new Float32Array(t.data.slice().buffer)]);
        answers.push({ id: echoed, values, batchRows });
      },
      failed: ({ reason }) => answers.push({ id, reason }),
    });
  return { clock, dataplane, executor, batcher, counted, answers, send };
}

const x = (...values: number[]) => ({ inputs: [fp32('x', [values.length / 2, 2], values)] });

describe('data path', () => {
  it('answers each request with its own rows, from a batch that grew while the instance was busy', () => {
    const path = dataPath();
    path.send('a', x(1, 2));
    path.send('b', x(3, 4, 5, 6));
    path.send('c', x(7, 8));
    path.clock.advance(2 * MS);
    expect(path.answers).toEqual([
      { id: 'a', values: [2, 4], batchRows: 1 },
      { id: 'b', values: [6, 8, 10, 12], batchRows: 3 },
      { id: 'c', values: [14, 16], batchRows: 3 },
    ]);
    expect(path.counted).toMatchObject({ succeeded: [1, 2, 1], executed: [1, 3], failed: [], refused: [] });
  });

  it('refuses at once what cannot be served, counted where it belongs', () => {
    const path = dataPath();
    path.send('no model', { model: 'nothing' });
    path.send('not yet', { model: 'loading' });
    path.send('no version', { version: 9 });
    path.send('bad shape', x(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    path.send('too late', { deadlineNs: path.clock.nowNs() });
    expect(path.answers.map(({ reason }) => reason)).toEqual([
      'MODEL_NOT_FOUND',
      'VERSION_NOT_READY',
      'VERSION_NOT_FOUND',
      'SHAPE_MISMATCH',
      'DEADLINE_EXCEEDED',
    ]);
    expect(path.counted.refused).toEqual(['MODEL_NOT_FOUND', 'VERSION_NOT_READY', 'VERSION_NOT_FOUND']);
    expect(path.counted.failed).toEqual(['SHAPE_MISMATCH', 'DEADLINE_EXCEEDED']);
  });

  it('lets a client that goes away free its place, and answers it once', () => {
    const path = dataPath();
    path.send('a', x(1, 2));
    const waiting = path.send('b', x(3, 4));
    waiting.cancel();
    waiting.cancel();
    expect(path.batcher.depth).toBe(0);
    path.clock.advance(5 * MS);
    waiting.cancel();
    expect(path.answers.map(({ id, reason }) => [id, reason])).toEqual([
      ['b', 'CLIENT_CANCELLED'],
      ['a', undefined],
    ]);
  });

  it('fails a request whose deadline passes in the queue, and bounds the queue', () => {
    const path = dataPath(modelSpec({ maxBatchSize: 4 }));
    path.send('runs', x(1, 2, 1, 2, 1, 2, 1, 2));
    path.send('late', { ...x(1, 2), deadlineNs: path.clock.nowNs() + MS / 2 });
    for (let i = 0; i < 8; i++) path.send(`q${i}`, x(1, 2));
    expect(path.answers).toEqual([{ id: 'q7', reason: 'QUEUE_FULL' }]);
    path.clock.advance(10 * MS);
    expect(path.answers[1]).toEqual({ id: 'late', reason: 'DEADLINE_EXCEEDED' });
    expect(path.answers).toHaveLength(10);
  });

  it('sends requests of the next table to the next version, and lets the old one finish', () => {
    const path = dataPath();
    path.send('old', x(1, 2));
    path.dataplane.publish('m', []);
    path.send('gone', x(1, 2));
    path.clock.advance(2 * MS);
    expect(path.answers).toEqual([
      { id: 'gone', reason: 'MODEL_NOT_FOUND' },
      { id: 'old', values: [2, 4], batchRows: 1 },
    ]);
    expect(path.dataplane.table.number).toBe(2);
  });

  it('gives the outputs asked for, in that order, classified where asked', () => {
    const spec = modelSpec({ outputs: [tensorSpec('y', 'FP32', [2], { labels: ['no', 'yes'] })] });
    const path = dataPath(spec);
    const seen: string[] = [];
    path.dataplane.infer(request({ ...x(1, 5), outputs: [{ name: 'y', classification: 1 }] }), {
      done: ({ outputs: [y] }) => seen.push(`${y?.dataType} ${new TextDecoder().decode(y?.data.subarray(4))}`),
      failed: (error) => seen.push(error.message),
    });
    path.clock.advance(MS);
    expect(seen).toEqual(['BYTES 10.000000:1:yes']);
  });
});

describe('an explanation', () => {
  it('comes as response parameters where the request asks for it, and only there', () => {
    const path = dataPath();
    const seen: unknown[] = [];
    const ask = (parameters: InferenceRequest['parameters']) =>
      path.dataplane.infer(request({ ...x(1, 2), parameters }), {
        done: (response) => seen.push({ ...response.parameters }),
        failed: (error) => seen.push(error.message),
      });
    ask({ penstock_explain: true });
    ask({ penstock_explain: 'true' });
    ask({ penstock_explain: false });
    path.clock.advance(5 * MS);
    const way = { penstock_version: 1, penstock_route: 'default', penstock_table: 1 };
    expect(seen).toEqual([
      {
        ...way,
        penstock_batch_size: 1,
        penstock_queue_us: 0,
        penstock_compute_us: 1000,
        penstock_padding_share: 0,
        penstock_device_ms: 1,
      },
      {
        ...way,
        penstock_batch_size: 2,
        penstock_queue_us: 1000,
        penstock_compute_us: 1000,
        penstock_padding_share: 0,
        penstock_device_ms: 0.5,
      },
      {},
    ]);
    expect(path.batcher.report().recent.map(({ kind, rows }) => [kind, rows])).toEqual([
      ['run', 2],
      ['run', 1],
    ]);
  });
});
