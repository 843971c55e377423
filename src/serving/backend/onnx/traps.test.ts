import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiled } from '../../../../test/support/compiled.js';
import { collect } from '../../../../test/support/garbage.js';
import {
  batchOf,
  openRequest,
  outputsOf,
  realClock,
  runBatch,
  silentLog,
  specOf,
  tensorOf,
} from '../../../../test/support/onnx-fixtures.js';
import type { Batch, Lane, OpenedModel, Tensor } from '../../../core/index.js';
import type * as onnx from './index.js';
import { MAX_CALLS_IN_FLIGHT } from './koffi-module.js';

// Compiled: a run thread's entry is a compiled file.
const { onnxNativeBackend, runsInFlight } = await compiled<typeof onnx>('serving/backend/onnx/index.js');
const { callGate } = await compiled<typeof import('./call-gate.js')>('serving/backend/onnx/call-gate.js');
const { keptLibraries } = await compiled<typeof import('./library.js')>('serving/backend/onnx/library.js');
const backend = onnxNativeBackend({ log: silentLog, clock: realClock });
const opened: OpenedModel[] = [];

let carrier = 'auto';

async function open(name: string, instances = 1): Promise<OpenedModel> {
  const group = { device: 'cpu', deviceId: 0, count: instances } as const;
  const model = await backend.open(openRequest(name, { instances: [group], parameters: { carrier } }));
  opened.push(model);
  return model;
}

async function slowLane(): Promise<Lane> {
  const model = await open('slow');
  return model.createLane(specOf('slow', model.signature, 4), 0);
}

/** A batch that takes `steps` chained MatMuls. */
function slowBatch(steps: bigint): Batch {
  const x = tensorOf('x', 'FP32', [1, 1], Float32Array.of(1));
  return batchOf([[x, tensorOf('steps', 'INT64', [1, 1], BigInt64Array.of(steps))]]);
}

const hex = (outputs: readonly Tensor[]) => Buffer.from((outputs[0] as Tensor).data).toString('hex');
const turn = () => new Promise((resolve) => setImmediate(resolve));
const FOREVER = 1n << 40n;

afterAll(async () => {
  await Promise.all(opened.map((model) => model.close()));
});

describe.each(['pool', 'thread'])('a run in flight, by carrier %s', (setting) => {
  beforeAll(() => {
    carrier = setting;
  });

  it('is cancelled between nodes, and the lane serves the next batch', async () => {
    const lane = await slowLane();
    // A thread takes longer to start than a hundred turns.
    await outputsOf(lane, slowBatch(1n));
    for (let i = 0; i < 3; i++) {
      const outcome = runBatch(lane, slowBatch(FOREVER));
      for (let turns = 0; turns < 100; turns++) await turn();
      expect(runsInFlight()).toBe(1);
      lane.cancel();
      lane.cancel();
      expect(await outcome).toMatchObject({ kind: 'failed', error: { reason: 'CLIENT_CANCELLED' } });
      expect(await outputsOf(lane, slowBatch(1n))).toHaveLength(1);
    }
  });

  it('is not touched by a cancel that came before it or after it', async () => {
    const lane = await slowLane();
    lane.cancel();
    expect(await runBatch(lane, slowBatch(1n))).toMatchObject({ kind: 'done' });
    lane.cancel();
    expect(await runBatch(lane, slowBatch(1n))).toMatchObject({ kind: 'done' });
  });

  it('keeps its lane, its session and close() waiting until it has ended', async () => {
    const model = await open('slow');
    const lane = await model.createLane(specOf('slow', model.signature, 4), 0);
    const outcome = runBatch(lane, slowBatch(FOREVER));
    let closed = false;
    const closing = model.close().then(() => {
      closed = true;
    });
    for (let turns = 0; turns < 100; turns++) await turn();
    expect(closed).toBe(false);
    lane.cancel();
    expect(await outcome).toMatchObject({ kind: 'failed' });
    await closing;
  });

  it('leaves the event loop free', async () => {
    const lane = await slowLane();
    const outcome = runBatch(lane, slowBatch(3000n));
    let turns = 0;
    let running = true;
    void outcome.then(() => {
      running = false;
    });
    while (running) {
      turns++;
      await turn();
    }
    expect(await outcome).toMatchObject({ kind: 'done' });
    expect(turns).toBeGreaterThan(100);
  });

  it('overlaps with others on one session, more lanes than calls that may be in flight', async () => {
    const model = await open('mlp', 40);
    const spec = specOf('mlp', model.signature, 4);
    const lanes = await Promise.all(Array.from({ length: 80 }, (_, i) => model.createLane(spec, i >> 1)));
    const input = (value: number) => batchOf([[tensorOf('x', 'FP32', [1, 64], new Float32Array(64).fill(value))]]);
    const expected: string[] = [];
    for (let i = 0; i < lanes.length; i++) expected.push(hex(await outputsOf(lanes[0] as Lane, input(i))));
    const outputs = lanes.map((lane, i) => outputsOf(lane, input(i)));
    if (carrier === 'pool') {
      expect(callGate.inFlight).toBe(MAX_CALLS_IN_FLIGHT);
      expect(callGate.waiting).toBe(lanes.length - MAX_CALLS_IN_FLIGHT);
    }
    expect((await Promise.all(outputs)).map(hex)).toEqual(expected);
    expect([callGate.inFlight, callGate.waiting]).toEqual([0, 0]);
  });

  it('that still waits for its turn is cancelled without ever starting', async () => {
    const model = await open('slow', 17);
    const spec = specOf('slow', model.signature, 4);
    const lanes = await Promise.all(Array.from({ length: 33 }, (_, i) => model.createLane(spec, i >> 1)));
    const outcomes = lanes.map((lane) => runBatch(lane, slowBatch(FOREVER)));
    (lanes[32] as Lane).cancel();
    expect(await outcomes[32]).toMatchObject({ kind: 'failed', error: { reason: 'CLIENT_CANCELLED' } });
    for (const lane of lanes) lane.cancel();
    for (const outcome of outcomes) expect(await outcome).toMatchObject({ kind: 'failed' });
    expect(await runBatch(lanes[32] as Lane, slowBatch(1n))).toMatchObject({ kind: 'done' });
  });
});

describe('a load', () => {
  it('keeps the smallest numbers of JavaScript intact', async () => {
    await open('mlp');
    expect(JSON.parse('5e-324')).toBe(5e-324);
    expect(JSON.parse('1e-310')).toBeGreaterThan(0);
    const product = async (parameters: Record<string, string>) => {
      const model = await backend.open(openRequest('scalar', { parameters }));
      opened.push(model);
      const lane = await model.createLane(specOf('scalar', model.signature, 0), 0);
      const factor = (name: string, value: number) => tensorOf(name, 'FP32', [], Float32Array.of(value));
      const [output] = await outputsOf(lane, batchOf([[factor('a', 1e-30), factor('b', 1e-10)]], false));
      return new Float32Array(output?.data.buffer as ArrayBuffer)[0];
    };
    // 1e-40 is subnormal: zero where the model asks for that, and only there.
    expect(await product({ 'session.set_denormal_as_zero': '1' })).toBe(0);
    expect(await product({})).toBeCloseTo(1e-40, 44);
    expect(await product({ carrier: 'thread' })).toBeGreaterThan(0);
    expect(JSON.parse('1e-310')).toBeGreaterThan(0);
    expect(JSON.parse('5e-324')).toBe(5e-324);
  });

  it('leaves the event loop free', async () => {
    let turns = 0;
    let loading = true;
    const loaded = open('heavy').finally(() => {
      loading = false;
    });
    while (loading) {
      turns++;
      await turn();
    }
    await loaded;
    expect(turns).toBeGreaterThan(50);
  });

  it('is given back to the system: twenty reloads stay within 1.2 times the first', async () => {
    const reload = async () => {
      const model = await backend.open(openRequest('heavy'));
      const lane = await model.createLane(specOf('heavy', model.signature, 4), 0);
      const x = tensorOf('x', 'FP32', [2, 4096], new Float32Array(8192).fill(1));
      await outputsOf(lane, batchOf([[x]]));
      const peakBytes = process.memoryUsage.rss();
      await model.close();
      collect();
      return { peakBytes, restingBytes: process.memoryUsage.rss() };
    };
    const first = await reload();
    // The fixture has 64 MB of weights: what is measured really was there, and really went.
    expect(first.peakBytes - first.restingBytes).toBeGreaterThan(50e6);
    for (let i = 0; i < 18; i++) await reload();
    const last = await reload();
    expect(last.restingBytes).toBeLessThan(1.2 * first.restingBytes);
    expect(last.peakBytes).toBeLessThan(1.2 * first.peakBytes);
  }, 120_000);

  it('never lets the library object be collected', async () => {
    const before = keptLibraries.length;
    const lane = await slowLane();
    for (let i = 0; i < 5; i++) {
      collect();
      await turn();
      expect(await outputsOf(lane, slowBatch(1n))).toHaveLength(1);
    }
    expect(keptLibraries.length).toBeGreaterThanOrEqual(before);
    expect(before).toBeGreaterThan(0);
  });
});
