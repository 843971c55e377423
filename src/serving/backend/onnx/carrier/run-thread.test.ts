import { readdirSync, readFileSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { compiled } from '../../../../../test/support/compiled.js';
import {
  batchOf,
  openRequest,
  outputsOf,
  realClock,
  runBatch,
  silentLog,
  specOf,
  tensorOf,
} from '../../../../../test/support/onnx-fixtures.js';
import type { Batch, Lane, Log, OpenedModel } from '../../../../core/index.js';
import type { RunCall } from './run-call.js';

const { onnxNativeBackend } = await compiled<typeof import('../index.js')>('serving/backend/onnx/index.js');
const { bundledLibraryPath } = await compiled<typeof import('../library.js')>('serving/backend/onnx/library.js');
const { RunThread } = await compiled<typeof import('./run-thread.js')>('serving/backend/onnx/carrier/run-thread.js');

const FOREVER = 1n << 40n;
const libraryPath = bundledLibraryPath();

async function open(name: string, log: Log = silentLog, parameters = {}): Promise<OpenedModel> {
  const backend = onnxNativeBackend({ log, clock: realClock });
  return backend.open(openRequest(name, { parameters: { carrier: 'thread', ...parameters } }));
}

function slowBatch(steps: bigint): Batch {
  const x = tensorOf('x', 'FP32', [1, 1], Float32Array.of(1));
  return batchOf([[x, tensorOf('steps', 'INT64', [1, 1], BigInt64Array.of(steps))]]);
}

/** The worker threads of this process that are run threads, found by the message that only they understand. */
const workers: Worker[] = [];
const { emit } = process;
process.emit = function (this: NodeJS.Process, event: string, ...rest: unknown[]) {
  if (event === 'worker') workers.push(rest[0] as Worker);
  return (emit as (...values: unknown[]) => boolean).call(this, event, ...rest);
} as typeof process.emit;

const gone = (worker: Worker) => new Promise<void>((resolve) => worker.once('exit', () => resolve()));

describe('a run thread', () => {
  it('that dies during a run settles the batch with EXECUTOR_LOST, and the next lane gets another', async () => {
    const errors: unknown[] = [];
    const model = await open('slow', { ...silentLog, error: (_, fields) => errors.push(fields) });
    const spec = specOf('slow', model.signature, 4);
    const lane = await model.createLane(spec, 0);
    expect(await outputsOf(lane, slowBatch(1n))).toHaveLength(1);
    const worker = workers.at(-1) as Worker;
    const outcome = runBatch(lane, slowBatch(FOREVER));
    void worker.terminate();
    // The native call ends before its thread can.
    lane.cancel();
    expect(await outcome).toMatchObject({ kind: 'failed', error: { reason: 'EXECUTOR_LOST' } });
    expect(lane.broken).toBe(true);
    expect(errors).toEqual([{ model: 'slow', version: 1, why: expect.stringContaining('exit code 1') }]);
    await lane.close();
    const next = await model.createLane(spec, 0);
    expect(await outputsOf(next, slowBatch(1n))).toHaveLength(1);
    expect(workers.at(-1)).not.toBe(worker);
    await model.close();
  });

  it('that died between runs is replaced by the next run', async () => {
    const model = await open('slow');
    const lane = await model.createLane(specOf('slow', model.signature, 4), 0);
    await outputsOf(lane, slowBatch(1n));
    await (workers.at(-1) as Worker).terminate();
    expect(await outputsOf(lane, slowBatch(1n))).toHaveLength(1);
    await model.close();
  });

  it('ends when its model is closed, after the run it has', async () => {
    const model = await open('slow');
    const lane = await model.createLane(specOf('slow', model.signature, 4), 0);
    await outputsOf(lane, slowBatch(1n));
    const ended = gone(workers.at(-1) as Worker);
    let closed = false;
    const outcome = runBatch(lane, slowBatch(FOREVER));
    const closing = model.close().then(() => {
      closed = true;
    });
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toBe(false);
    lane.cancel();
    expect(await outcome).toMatchObject({ kind: 'failed', error: { reason: 'CLIENT_CANCELLED' } });
    await Promise.all([closing, ended]);
  });

  it('serves two lanes of an instance in the order in which they asked', async () => {
    const model = await open('slow');
    const spec = specOf('slow', model.signature, 4);
    const lanes = await Promise.all([model.createLane(spec, 0), model.createLane(spec, 0)]);
    const order: number[] = [];
    await Promise.all(
      lanes.map(async (lane: Lane, i) => {
        await outputsOf(lane, slowBatch(i === 0 ? 300n : 0n));
        order.push(i);
      }),
    );
    expect(order).toEqual([0, 1]);
    await model.close();
  });

  it.runIf(process.platform === 'linux')("has its model's name in the system's list of threads", async () => {
    const names = () => readdirSync('/proc/self/task').map((id) => readFileSync(`/proc/self/task/${id}/comm`, 'utf8'));
    const model = await open('slow');
    const lane = await model.createLane(specOf('slow', model.signature, 4), 0);
    await outputsOf(lane, slowBatch(1n));
    expect(names()).toContain('run slow\n');
    await model.close();
    expect(names()).not.toContain('run slow\n');
  });

  it('that cannot load the library returns what waits for it, and says why', async () => {
    const ended: (string | undefined)[] = [];
    const thread = new RunThread({ libraryPath: '/nowhere/libonnxruntime.so', onEnd: (why) => ended.push(why) });
    const returned = new Promise<unknown>((resolve) => {
      thread.run({ values: new Float64Array(8), begun() {}, returned: (error) => resolve(error) } satisfies RunCall);
    });
    expect(await returned).toMatchObject({ reason: 'EXECUTOR_LOST' });
    expect(ended).toEqual([expect.stringContaining('does not load')]);
    expect(thread.gone).toBe(true);
    const late = new Promise<unknown>((resolve) => {
      thread.run({ values: new Float64Array(8), begun() {}, returned: (error) => resolve(error) });
    });
    expect(await late).toMatchObject({ reason: 'EXECUTOR_LOST' });
    await thread.close();
  });

  it('ends where it was closed before it was ready', async () => {
    const ended: (string | undefined)[] = [];
    const thread = new RunThread({ libraryPath, onEnd: (why) => ended.push(why) });
    await thread.close();
    expect(ended).toEqual([undefined]);
  });
});
