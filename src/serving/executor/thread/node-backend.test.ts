import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { compiled } from '../../../../test/support/compiled.js';
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
import {
  type BatchOutcome,
  DATA_TYPES,
  type DataType,
  type Lane,
  type OpenedModel,
  type OpenRequest,
  serialiseBytes,
  type Tensor,
} from '../../../core/index.js';

const { createExecutor, threadBackend } = await compiled<typeof import('../index.js')>('serving/executor/index.js');

const models: OpenedModel[] = [];
const lanes: Lane[] = [];

afterEach(async () => {
  await Promise.all(lanes.splice(0).map((lane) => lane.close()));
  await Promise.all(models.splice(0).map((model) => model.close()));
});

async function open(name: string, over: Partial<OpenRequest> = {}): Promise<OpenedModel> {
  const backend = threadBackend('onnx-node', { clock: realClock, log: silentLog });
  const opened = await backend.open(openRequest(name, { engine: 'node', ...over }));
  models.push(opened);
  return opened;
}

async function laneOf(name: string, maxBatchSize = 8, over: Partial<OpenRequest> = {}): Promise<Lane> {
  const opened = await open(name, over);
  const lane = await opened.createLane(specOf(name, opened.signature, maxBatchSize), 0);
  lanes.push(lane);
  return lane;
}

const errorOf = (outcome: BatchOutcome) =>
  outcome.kind === 'failed' ? `${outcome.error.reason}: ${outcome.error.message}` : outcome.kind;

const FIXED = (Object.keys(DATA_TYPES) as DataType[]).filter((type) => type !== 'BF16' && type !== 'BYTES');

describe("ONNX models by the binding (engine 'node')", () => {
  it.each(FIXED)('%s passes bit for bit, in batches of several members and empty ones', async (dataType) => {
    const lane = await laneOf(`identity_${dataType.toLowerCase()}`);
    const { elementBytes } = DATA_TYPES[dataType];
    const member = (rows: number, columns: number, seed: number): Tensor => {
      const data = new Uint8Array(rows * columns * elementBytes);
      for (let i = 0; i < data.length; i++) data[i] = dataType === 'BOOL' ? (i * seed) & 1 : (i * seed) & 0xff;
      return { name: 'INPUT0', dataType, shape: [rows, columns], data };
    };
    for (const columns of [5, 0, 3]) {
      const members = [member(1, columns, 37), member(2, columns, 91)];
      const [output] = await outputsOf(lane, batchOf(members.map((tensor) => [tensor])));
      expect(output?.shape).toEqual([3, columns]);
      expect(Buffer.concat(members.map((tensor) => tensor.data)).equals(output?.data ?? new Uint8Array(1))).toBe(true);
    }
  });

  it('passes any UTF-8 text, and refuses bytes that the binding would alter', async () => {
    const lane = await laneOf('identity_bytes');
    const bytes = (elements: readonly Uint8Array[]): Tensor => ({
      name: 'INPUT0',
      dataType: 'BYTES',
      shape: [1, elements.length],
      data: serialiseBytes(elements),
    });
    const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 8 }), async (texts) => {
        const input = bytes(texts.map((value) => new TextEncoder().encode(`\ufeff${value}`)));
        const [output] = await outputsOf(lane, batchOf([[input]]));
        expect(output?.shape).toEqual(input.shape);
        expect(Buffer.from(input.data).equals(output?.data ?? new Uint8Array(1))).toBe(true);
      }),
      { numRuns: 50 },
    );
    for (const element of [[0xff], [0x61, 0x00, 0x62], [0xc3]]) {
      const outcome = errorOf(
        await runBatch(lane, batchOf([[bytes([new Uint8Array([0x61]), new Uint8Array(element)])]])),
      );
      expect(outcome).toMatch(/^UNSUPPORTED: input 'INPUT0', element 1: engine 'node' passes UTF-8 text/);
    }
  });

  it('runs several inputs and outputs, rank 0 and models without a batch axis', async () => {
    const add = await laneOf('add_two');
    const a = tensorOf(
      'INPUT0',
      'INT32',
      [1, 16],
      Int32Array.from({ length: 16 }, (_, i) => i),
    );
    const b = tensorOf('INPUT1', 'INT32', [1, 16], new Int32Array(16).fill(100));
    const [sum, difference] = await outputsOf(add, batchOf([[a, b]]));
    expect(new Int32Array(sum?.data.buffer as ArrayBuffer)[3]).toBe(103);
    expect(new Int32Array(difference?.data.buffer as ArrayBuffer)[3]).toBe(-97);
    const scalar = await laneOf('scalar', 0);
    const inputs = ['a', 'b'].map((name) => tensorOf(name, 'FP32', [], new Float32Array([3])));
    const [product] = await outputsOf(scalar, batchOf([inputs], false));
    expect(product).toMatchObject({ shape: [] });
    expect(new Float32Array(product?.data.buffer as ArrayBuffer)).toEqual(new Float32Array([9]));
  });

  it('fails a batch with the model’s reason, and serves the next', async () => {
    const lane = await laneOf('gather');
    const index = (value: bigint) => tensorOf('index', 'INT64', [1], new BigInt64Array([value]));
    const outcome = errorOf(await runBatch(lane, batchOf([[index(9n)]])));
    expect(outcome).toMatch(/^BACKEND_FAILED: the model failed: .*idx=9 must be within/);
    expect(outcome).not.toContain('onnxruntime_src');
    expect(errorOf(await runBatch(lane, batchOf([[index(1n)]])))).toBe('done');
  });

  it('refuses outputs that do not have the batch’s rows', async () => {
    const opened = await open('loses_rows');
    const spec = specOf('loses_rows', opened.signature, 4);
    const lane = await opened.createLane(spec, 0);
    lanes.push(lane);
    const x = tensorOf('x', 'FP32', [2, 4], new Float32Array(8));
    expect(errorOf(await runBatch(lane, batchOf([[x]])))).toBe(
      "OUTPUT_SHAPE_MISMATCH: output 'sums': expected shape [2,4], the model returned [1,4]",
    );
  });
});

describe('opening an ONNX model by the binding', () => {
  it('tells its signature, types without a name included', async () => {
    const { signature, providers, lanesPerInstance } = await open('cnn');
    expect(signature.outputs.map(({ name, dataType, dims }) => [name, dataType, dims])).toEqual([
      ['scores', 'FP32', [-1, 3]],
      ['features', 'FP32', [-1, 4, 8, 8]],
    ]);
    expect(providers).toEqual({ CPUExecutionProvider: 1 });
    expect(lanesPerInstance).toBe(2);
    const sequence = await open('unsupported_sequence');
    expect(sequence.signature.outputs[0]).toMatchObject({ dataType: undefined, foreignType: /not a tensor/ });
  });

  it.each([
    ['identity_bf16', /bfloat16, which engine 'node' cannot carry/],
    ['unsupported_float8', /ONNX element type 17/],
    ['unsupported_complex64', /complex64/],
    ['unknown_op', /com\.example\.nowhere/],
    ['corrupt', /Protobuf parsing failed/],
    ['empty', /does not have a graph/],
  ])('refuses %s with its reason and without a path', async (name, message) => {
    const opening = open(name);
    await expect(opening).rejects.toMatchObject({ reason: 'MODEL_INVALID', message: expect.stringMatching(message) });
    await expect(opening).rejects.not.toThrow(/fixtures\/models|onnxruntime_src/);
  });

  it('honours options that the binding offers and refuses the others', async () => {
    const x = tensorOf('x', 'FP32', [1, 64], new Float32Array(64).fill(0.5));
    const [expected] = await outputsOf(await laneOf('mlp'), batchOf([[x]]));
    const parameters = {
      intra_op_thread_count: '2',
      inter_op_thread_count: '1',
      execution_mode: '1',
      enable_mem_arena: '0',
      enable_mem_pattern: '0',
      'session.disable_prepacking': '1',
    };
    const [same] = await outputsOf(await laneOf('mlp', 8, { parameters, graphLevel: 2 }), batchOf([[x]]));
    const near = new Float32Array(expected?.data.buffer as ArrayBuffer);
    new Float32Array(same?.data.buffer as ArrayBuffer).forEach((value, i) => {
      expect(value).toBeCloseTo(near[i] as number, 4);
    });
    const refused = (over: Partial<OpenRequest>) =>
      open('mlp', over).then(
        () => 'opened',
        (error) => error.reason,
      );
    const shrink = { 'memory.enable_memory_arena_shrinkage': 'cpu:0' };
    expect(await refused({ parameters: shrink })).toBe('UNSUPPORTED');
    expect(await refused({ provider: { onGpuError: 'fail', strict: false, options: { use_tf32: '0' } } })).toBe(
      'UNSUPPORTED',
    );
    expect(await refused({ parameters: { intra_op_threads: '2' } })).toBe('MODEL_INVALID');
    // An entry that only ONNX Runtime itself can refuse shows that entries reach it.
    expect(await refused({ parameters: { 'session.load_model_format': 'ORT' } })).toBe('MODEL_INVALID');
  });

  it('serves on the CPU or refuses, as its policy says, where CUDA cannot be had', async () => {
    const instances = [{ device: 'cuda' as const, deviceId: 0, count: 1 }];
    const policy = { strict: false, options: {} };
    const cpu = await open('mlp', { instances, provider: { ...policy, onGpuError: 'cpu' } });
    if (cpu.fallback === undefined) return; // A machine with CUDA: nothing fell back.
    expect(cpu.fallback).toMatch(/^runs on the CPU: /);
    expect(cpu.providers).toEqual({ CPUExecutionProvider: 1 });
    await expect(open('mlp', { instances, provider: { ...policy, onGpuError: 'fail' } })).rejects.toMatchObject({
      reason: 'UNSUPPORTED',
    });
  });
});

describe('a run of the binding past its limit', () => {
  it('loses its lane until it ends; its worker is never ended inside it, nor by stop', async () => {
    const opened = await open('slow');
    const spec = specOf('slow', opened.signature, 4);
    const plan = { spec, instances: [{ device: 'cpu' as const, deviceId: 0, count: 1 }], maxExecutionMs: 30 };
    const executor = await createExecutor({ opened, plan, clock: realClock, log: silentLog });
    const batch = (steps: number) =>
      batchOf([
        [
          tensorOf('x', 'FP32', [1, 1], new Float32Array([2])),
          tensorOf('steps', 'INT64', [1, 1], new BigInt64Array([BigInt(steps)])),
        ],
      ]);
    const run = (steps: number) =>
      new Promise<string>((resolve) => {
        executor.execute(batch(steps), (outcome) => resolve(errorOf(outcome)));
      });
    const impaired: boolean[] = [];
    executor.onImpaired = (value) => impaired.push(value);
    const nextFree = () =>
      new Promise<void>((resolve) => {
        executor.onSlotFree = resolve;
      });
    const free = nextFree();
    expect(await run(3_000)).toMatch(/^EXECUTOR_LOST: .*did not end within its limit/);
    expect(impaired).toEqual([true]);
    expect(executor.freeSlots()).toBe(0);
    await free;
    expect(impaired).toEqual([true, false]);
    // The lost lane backs off meanwhile; the other one serves.
    const again = nextFree();
    expect(await run(1)).toBe('done');
    await again;

    const inFlight = run(3_000);
    await executor.stop();
    expect(await inFlight).toMatch(/EXECUTOR_LOST|done/);
    expect(executor.laneStates()).toEqual({ stopped: 2 });
  });

  it('ends many workers right after their runs without harm to the process', async () => {
    for (let round = 0; round < 5; round++) {
      const opened = await threadBackend('onnx-node', { clock: realClock, log: silentLog }).open(
        openRequest('mlp', { engine: 'node', instances: [{ device: 'cpu', deviceId: 0, count: 2 }] }),
      );
      const spec = specOf('mlp', opened.signature, 8);
      const plan = { spec, instances: [{ device: 'cpu' as const, deviceId: 0, count: 2 }], maxExecutionMs: 0 };
      const executor = await createExecutor({ opened, plan, clock: realClock, log: silentLog });
      const x = tensorOf('x', 'FP32', [1, 64], new Float32Array(64));
      const outcomes: string[] = [];
      executor.execute(batchOf([[x]]), (outcome) => outcomes.push(errorOf(outcome)));
      executor.execute(batchOf([[x]]), (outcome) => outcomes.push(errorOf(outcome)));
      await executor.stop();
      await opened.close();
      expect(outcomes).toEqual(['done', 'done']);
    }
  });
});
