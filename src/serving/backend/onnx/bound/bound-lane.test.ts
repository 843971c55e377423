import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { compiled } from '../../../../../test/support/compiled.js';
import {
  batchOf,
  fixturePath,
  openRequest,
  outputsOf,
  realClock,
  runBatch,
  silentLog,
  specOf,
  tensorOf,
} from '../../../../../test/support/onnx-fixtures.js';
import type { Lane, OpenedModel, Tensor } from '../../../../core/index.js';
import type { BoundLaneOptions } from './bound-lane.js';

const ONNX = 'serving/backend/onnx';
const { onnxNativeBackend } = await compiled<typeof import('../index.js')>(`${ONNX}/index.js`);
const { openBoundLane } = await compiled<typeof import('./open-bound-lane.js')>(`${ONNX}/bound/open-bound-lane.js`);
const { loadOrtLibrary } = await compiled<typeof import('../library.js')>(`${ONNX}/library.js`);
const { createSession, releaseSession } = await compiled<typeof import('../session.js')>(`${ONNX}/session.js`);
const { readSessionSettings } = await compiled<typeof import('../session-settings.js')>(`${ONNX}/session-settings.js`);
const { readSignature } = await compiled<typeof import('../signature.js')>(`${ONNX}/signature.js`);
const { runsInFlight } = await compiled<typeof import('../runs-in-flight.js')>(`${ONNX}/runs-in-flight.js`);

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  expect(runsInFlight()).toBe(0);
});

const backend = onnxNativeBackend({ log: silentLog, clock: realClock });

async function open(name: string, over: Parameters<typeof openRequest>[1] = {}): Promise<OpenedModel> {
  const model = await backend.open(openRequest(name, over));
  closing.push(() => model.close());
  return model;
}

/** A bound lane of a CPU session; `memcpy` makes that CPU a device whose tensors are copied to and from. */
async function boundLane(name: string, maxBatchSize: number, over: Partial<BoundLaneOptions> = {}): Promise<Lane> {
  const session = await createSession({
    library: loadOrtLibrary(),
    modelPath: fixturePath(name),
    onGpu: false,
    settings: readSessionSettings({}, undefined),
    config: [],
    appendProviders: () => {},
  });
  closing.push(() => releaseSession(session));
  return openBoundLane({
    session,
    spec: specOf(name, readSignature(session.library, session.address), maxBatchSize),
    clock: realClock,
    runConfig: new Map(),
    device: { copies: 'memcpy', deviceId: 0 },
    pinned: false,
    graphSizes: undefined,
    ...over,
  });
}

const image = (rows: number, seed: number): Tensor =>
  tensorOf(
    'image',
    'FP32',
    [rows, 1, 8, 8],
    Float32Array.from({ length: rows * 64 }, (_, i) => Math.sin(i * seed)),
  );
const plain = (tensors: readonly Tensor[]) =>
  tensors.map(({ name, shape, data }) => ({ name, shape, data: [...data] }));

describe.each([
  ['in the lane’s own memory', { copies: 'none', deviceId: 0 }, undefined],
  ['copied to and from a device', { copies: 'memcpy', deviceId: 0 }, undefined],
  ['padded up to fixed sizes', { copies: 'memcpy', deviceId: 0 }, [1, 2, 4]],
] as const)('a bound lane, tensors %s', (_, device, graphSizes) => {
  it('answers every batch as an ordinary lane does, bit for bit', async () => {
    const model = await open('cnn');
    const ordinary = await model.createLane(specOf('cnn', model.signature, 6), 0);
    const bound = await boundLane('cnn', 6, { device, graphSizes });
    const rows = fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(rows, fc.integer({ min: 1, max: 1000 }), async (members, seed) => {
        const batch = batchOf(members.map((count, i) => [image(count, seed + i)]));
        expect(plain(await outputsOf(bound, batch))).toEqual(plain(await outputsOf(ordinary, batch)));
      }),
      { numRuns: 60 },
    );
  });
});

describe('a bound lane', () => {
  it('refuses a second batch while one is in it, and settles each once', async () => {
    const lane = await boundLane('cnn', 2);
    const batch = batchOf([[image(1, 1)]]);
    const [first, second] = await Promise.all([runBatch(lane, batch), runBatch(lane, batch)]);
    expect([first.kind, second.kind === 'failed' && second.error.reason]).toEqual(['done', 'INTERNAL']);
  });

  it('closes after the run in flight, whose outputs are whole', async () => {
    const lane = await boundLane('cnn', 2);
    const running = runBatch(lane, batchOf([[image(2, 3)]]));
    await lane.close();
    expect((await running).kind).toBe('done');
  });

  it('fails a batch of the wrong size and runs the next', async () => {
    const lane = await boundLane('cnn', 2);
    const short = { ...image(1, 1), data: new Uint8Array(12) };
    expect(await runBatch(lane, batchOf([[short]]))).toMatchObject({ kind: 'failed' });
    expect((await runBatch(lane, batchOf([[image(1, 1)]]))).kind).toBe('done');
  });

  it('cannot open for CUDA where its runtime is not found, and leaves nothing behind', async () => {
    await expect(boundLane('cnn', 2, { device: { copies: 'cuda', deviceId: 0 } })).rejects.toThrow();
  });
});

describe('a model with io_binding', () => {
  const provider = (over = {}) => ({
    onGpuError: 'fail' as const,
    strict: false,
    options: {},
    binding: { ioBinding: true, pinnedMemory: true, cudaGraphBatchSizes: undefined, ...over },
  });

  it('runs on the CPU with lanes that are bound, several on one session', async () => {
    const model = await open('cnn', { provider: provider() });
    const spec = specOf('cnn', model.signature, 4);
    const lanes = [await model.createLane(spec, 0), await model.createLane(spec, 0)];
    const all = await Promise.all(lanes.map((lane) => outputsOf(lane, batchOf([[image(3, 7)]]))));
    expect(plain(all[0] as Tensor[])).toEqual(plain(all[1] as Tensor[]));
  });

  it.each([
    ['identity_fp32', /io_binding needs tensors of fixed size: 'INPUT0' has no fixed shape/],
    ['identity_bytes', /io_binding needs tensors of fixed size: 'INPUT0' holds strings/],
  ])('refuses %s with the reason', async (name, message) => {
    const model = await open(name, { provider: provider() });
    await expect(model.createLane(specOf(name, model.signature, 4), 0)).rejects.toMatchObject({
      reason: 'MODEL_INVALID',
      message: expect.stringMatching(message),
    });
  });

  it('refuses CUDA graphs for instances on the CPU', async () => {
    await expect(
      backend.open(openRequest('cnn', { provider: provider({ cudaGraphBatchSizes: [1] }) })),
    ).rejects.toThrow('cuda_graph_batch_sizes: its instances are on the CPU, graphs need KIND_GPU');
  });
});
