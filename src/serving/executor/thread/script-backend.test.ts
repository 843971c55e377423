import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { compiled } from '../../../../test/support/compiled.js';
import {
  batchOf,
  openRequest,
  outputsOf,
  realClock,
  runBatch,
  specOf,
} from '../../../../test/support/onnx-fixtures.js';
import { SilentLog } from '../../../../test/support/silent-log.js';
import { modelSpec, tensorSpec } from '../../../../test/support/specs.js';
import {
  type BatchOutcome,
  bytesElements,
  type Lane,
  type Lease,
  type ModelSpec,
  type OpenedModel,
  type OpenRequest,
  serialiseBytes,
  type Tensor,
} from '../../../core/index.js';
import type { LaneExecutor } from '../index.js';

const { lend } = await compiled<typeof import('../../../core/index.js')>('core/index.js');
const { createExecutor, threadBackend } = await compiled<typeof import('../index.js')>('serving/executor/index.js');

const RECOVERY = { firstBackoffMs: 1, maxBackoffMs: 4, quarantineAfter: 3, quarantineMs: 60_000 };
const log = new SilentLog();
const models: OpenedModel[] = [];
const lanes: Lane[] = [];
const executors: LaneExecutor[] = [];

afterEach(async () => {
  await Promise.all(executors.splice(0).map((executor) => executor.stop()));
  await Promise.all(lanes.splice(0).map((lane) => lane.close()));
  await Promise.all(models.splice(0).map((model) => model.close()));
  log.lines.length = 0;
});

const scriptPath = (file: string) =>
  fileURLToPath(new URL(`../../../../test/fixtures/scripts/${file}`, import.meta.url));

function request(file: string, over: Partial<OpenRequest> = {}): OpenRequest {
  return openRequest('script', { backend: 'script', engine: 'node', modelPath: scriptPath(file), ...over });
}

interface Limits {
  readonly loadLimitMs?: number;
  readonly heapMb?: number;
  readonly maxOutputBytes?: number;
}

async function open(file: string, over: Partial<OpenRequest> = {}, limits: Limits = {}): Promise<OpenedModel> {
  const opened = await threadBackend('script', { clock: realClock, log, ...limits }).open(request(file, over));
  models.push(opened);
  return opened;
}

async function lane(opened: OpenedModel, spec: ModelSpec): Promise<Lane> {
  const created = await opened.createLane(spec, 0);
  lanes.push(created);
  return created;
}

const mode = (...names: string[]): Tensor => ({
  name: 'mode',
  dataType: 'BYTES',
  shape: [names.length, 1],
  data: serialiseBytes(names.map((name) => new TextEncoder().encode(name))),
});

async function faults(parameters: Record<string, string> = {}, limits: Limits = {}, maxExecutionMs = 10_000) {
  const opened = await open('faults.js', { parameters, maxExecutionMs }, limits);
  const spec = specOf('script', opened.signature, 8);
  return { opened, spec };
}

const errorOf = (outcome: BatchOutcome) =>
  outcome.kind === 'failed' ? `${outcome.error.reason}: ${outcome.error.message}` : outcome.kind;

describe('a script model', () => {
  it('reads several members and answers all their rows', async () => {
    const { opened, spec } = await faults();
    const outputs = await outputsOf(await lane(opened, spec), batchOf([[mode('ok')], [mode('ok', 'ok')]]));
    expect(outputs).toEqual([
      { name: 'y', dataType: 'FP32', shape: [3, 2], data: new Uint8Array(new Float32Array(6).fill(1).buffer) },
    ]);
  });

  it('may be asynchronous, and has the signature that load returned', async () => {
    const { opened, spec } = await faults();
    expect(opened.signature.inputs).toEqual([
      { name: 'mode', dataType: 'BYTES', foreignType: undefined, dims: [-1, 1], optional: false },
    ]);
    const [output] = await outputsOf(await lane(opened, spec), batchOf([[mode('async')]]));
    expect(output?.shape).toEqual([1, 2]);
    expect(log.lines).toContainEqual({
      level: 'info',
      message: 'model output',
      fields: expect.objectContaining({ text: 'loaded script 1 instance 0' }),
    });
  });

  it('keeps a lane’s outputs while the other lane of its instance runs', async () => {
    const { opened, spec } = await faults();
    const [a, b] = [await lane(opened, spec), await lane(opened, spec)];
    const batch = batchOf([[mode('ok')]]);
    await new Promise<void>((resolve, reject) => {
      a.run(batch, (outcome) => {
        if (outcome.kind === 'failed') return reject(outcome.error);
        expect(new Float32Array(outcome.outputs[0]?.data.slice().buffer as ArrayBuffer)[0]).toBe(1);
        b.run(batch, () => resolve());
      });
    });
    const [output] = await outputsOf(b, batch);
    expect(new Float32Array(output?.data.buffer as ArrayBuffer)[0]).toBe(3);
  });

  it('has its outputs stay where they are while they are kept, and writes there again once they are given back', async () => {
    const { opened, spec } = await faults();
    const one = await lane(opened, spec);
    const kept: { view: Float32Array; lease: Lease }[] = [];
    const places = new Set<ArrayBufferLike>();
    for (let run = 0; run < 12; run++) {
      await new Promise<void>((resolve, reject) => {
        one.run(batchOf([[mode('ok')]]), (outcome) => {
          if (outcome.kind === 'failed') return reject(outcome.error);
          const { data } = outcome.outputs[0] as Tensor;
          places.add(data.buffer);
          const view = new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
          kept.push({ view, lease: lend(data) as Lease });
          resolve();
        });
      });
      if (run === 3) for (const { lease } of kept.splice(0, 4)) lease.release();
      const firstRun = run < 3 ? 1 : 5;
      expect(kept.map(({ view }) => view[0])).toEqual(kept.map((_, i) => i + firstRun));
    }
    expect(places.size).toBe(8);
    for (const { lease } of kept) lease.release();
  });

  it('passes every data type bit for bit, empty tensors and absent inputs too', async () => {
    const opened = await open('echo.cjs');
    expect(opened.signature).toEqual({ inputs: [], outputs: [] });
    const text = serialiseBytes([new Uint8Array([0, 255, 10]), new Uint8Array(0), new TextEncoder().encode('é')]);
    const inputs: Tensor[] = [
      { name: 'text', dataType: 'BYTES', shape: [3, 1], data: text },
      {
        name: 'long',
        dataType: 'INT64',
        shape: [3, 1],
        data: new Uint8Array(new BigInt64Array([-1n, 2n ** 62n, 0n]).buffer),
      },
      { name: 'half', dataType: 'FP16', shape: [3, 1], data: new Uint8Array([1, 2, 3, 4, 5, 6]) },
      { name: 'brain', dataType: 'BF16', shape: [3, 1], data: new Uint8Array([6, 5, 4, 3, 2, 1]) },
      { name: 'flag', dataType: 'BOOL', shape: [3, 1], data: new Uint8Array([1, 0, 1]) },
      { name: 'none', dataType: 'FP64', shape: [3, 0], data: new Uint8Array(0) },
    ];
    const spec = modelSpec({
      inputs: inputs.map(({ name, dataType }) => tensorSpec(name, dataType, [-1])),
      outputs: inputs.map(({ name, dataType }) => tensorSpec(`${name}_out`, dataType, [-1])),
    });
    const outputs = await outputsOf(await lane(opened, spec), batchOf([inputs]));
    expect(outputs).toEqual(inputs.map((input) => ({ ...input, name: `${input.name}_out` })));
    expect(bytesElements(outputs[0]?.data ?? text).length).toBe(3);
  });

  it('prepares images as the digits models take them', async () => {
    const opened = await open('../../../deploy/examples/models/digit-image/1/model.mjs');
    const spec = specOf('script', opened.signature, 4);
    const side = 20;
    const pixels = new Uint8Array(2 * side * side);
    pixels.fill(255, side * side);
    for (let y = 0; y < side; y++) pixels.fill(255, y * side, y * side + side / 2);
    const [x] = await outputsOf(
      await lane(opened, spec),
      batchOf([[{ name: 'image', dataType: 'UINT8', shape: [2, side, side], data: pixels }]]),
    );
    const values = new Float32Array(x?.data.buffer as ArrayBuffer);
    const half = Array.from({ length: 64 }, (_, cell) => (cell % 8 < 4 ? 16 : 0));
    expect(x?.shape).toEqual([2, 64]);
    for (const [cell, expected] of [...half, ...new Array(64).fill(16)].entries()) {
      expect(values[cell]).toBeCloseTo(expected, 4);
    }
  });

  it('carries reshaped tensors to the shape the model takes and back', async () => {
    const opened = await open('echo.cjs');
    const reshaped = { dims: [6], modelDims: [2, 3] };
    const spec = modelSpec({
      inputs: [tensorSpec('a', 'UINT8', [6], reshaped)],
      outputs: [tensorSpec('a_out', 'UINT8', [6], reshaped)],
    });
    const data = new Uint8Array([1, 2, 3, 4, 5, 6]);
    const input: Tensor = { name: 'a', dataType: 'UINT8', shape: [1, 6], data };
    const [output] = await outputsOf(await lane(opened, spec), batchOf([[input]]));
    expect(output).toEqual({ ...input, name: 'a_out' });
  });

  it('says what the JavaScript of its workers has of memory, until it is closed', async () => {
    const { opened, spec } = await faults();
    await outputsOf(await lane(opened, spec), batchOf([[mode('ok')]]));
    const [one] = opened.memory?.() ?? [];
    expect(one).toEqual({ type: 'CPU', id: 0, bytes: expect.any(Number) });
    expect(one?.bytes).toBeGreaterThan(1_000_000);
    await opened.createLane(spec, 1);
    expect(opened.memory?.()[0]?.bytes).toBeGreaterThan(1.5 * (one?.bytes ?? 0));
    await opened.close();
    expect(opened.memory?.()).toEqual([]);
  });

  it('leaves the event loop free while it computes, and its console does not fill memory', async () => {
    const { opened, spec } = await faults();
    const used = await lane(opened, spec);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 2);
    await outputsOf(used, batchOf([[mode('flood')]]));
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
    expect(log.lines.length).toBeGreaterThan(50);
    await outputsOf(used, batchOf([[mode('flood')]]));
    expect(log.lines.some((line) => (line.fields.dropped as number) > 0)).toBe(true);
  });
});

describe('a script that is wrong', () => {
  it.each([
    ['throw', 'BACKEND_FAILED: the script failed: cannot open <path>'],
    ['throw-text', 'BACKEND_FAILED: the script failed: just text'],
    ['wrong-type', "output 'y' of type FP32: expected a Float32Array, got Float64Array"],
    ['numbers', "output 'y' of type FP32: expected a Float32Array, got Array"],
    ['wrong-name', "infer returned 'z', which is no output; outputs: y"],
    ['no-output', "infer returned no output 'y'"],
    ['nothing', 'infer must return an object of outputs by name, got undefined'],
    ['wrong-rows', "OUTPUT_SHAPE_MISMATCH: the script's answer is wrong: output 'y': expected shape [2,2], got [3,2]"],
    ['wrong-size', "OUTPUT_SHAPE_MISMATCH: the script's answer is wrong: output 'y' has 3 elements"],
    ['huge', "OUTPUT_SHAPE_MISMATCH: the script's answer is wrong: output 'y' has 1000000 elements"],
    ['huge-shaped', "OUTPUT_SHAPE_MISMATCH: the script's answer is wrong: output 'y': expected shape [2,2]"],
  ])('%s: fails its batch with the reason, and serves the next', async (name, expected) => {
    const { opened, spec } = await faults();
    const used = await lane(opened, spec);
    const outcome = errorOf(await runBatch(used, batchOf([[mode(name)], [mode('ok')]])));
    expect(outcome).toContain(expected);
    expect(outcome).not.toMatch(/secret|\n|\.js:/);
    expect(used.broken).toBe(false);
    expect(errorOf(await runBatch(used, batchOf([[mode('ok')]])))).toBe('done');
  });

  it('may not answer more bytes than the limit', async () => {
    const opened = await open('echo.cjs', {}, { maxOutputBytes: 1000 });
    const spec = modelSpec({ inputs: [tensorSpec('a', 'UINT8', [-1])], outputs: [tensorSpec('a_out', 'UINT8', [-1])] });
    const input: Tensor = { name: 'a', dataType: 'UINT8', shape: [1, 1001], data: new Uint8Array(1001) };
    const outcome = errorOf(await runBatch(await lane(opened, spec), batchOf([[input]])));
    expect(outcome).toBe("BACKEND_FAILED: the model's outputs take 1001 bytes; the limit is 1000");
  });

  it.each(['throw', 'exit', 'hang', 'never'])('refuses to load when load does %s', async (load) => {
    const opening = open('faults.js', { parameters: { load } }, { loadLimitMs: 300 });
    await expect(opening).rejects.toMatchObject({ reason: 'MODEL_INVALID' });
    await expect(opening).rejects.not.toThrow(/secret/);
  });

  it('refuses to load a file that is no script model, and a device it cannot run on', async () => {
    await expect(open('../offload-tasks.mjs')).rejects.toThrow("must export a function 'infer'");
    await expect(open('missing.mjs')).rejects.toMatchObject({ reason: 'MODEL_INVALID' });
    const cuda = { instances: [{ device: 'cuda' as const, deviceId: 0, count: 1 }] };
    await expect(open('echo.cjs', cuda)).rejects.toMatchObject({ reason: 'UNSUPPORTED' });
    const opened = await open('echo.cjs', { ...cuda, provider: { onGpuError: 'cpu', strict: false, options: {} } });
    expect(opened.fallback).toBe('script models run on the CPU, not on cuda');
  });
});

describe('a script that hangs or dies', () => {
  it.each([
    ['hang', 'EXECUTOR_LOST: model .* the execution did not end within 300 ms, and its worker was ended'],
    ['never', 'EXECUTOR_LOST: model .* the execution did not end within 300 ms, and its worker was ended'],
    ['exit', 'EXECUTOR_LOST: model .*: its worker ended'],
    ['crash', 'EXECUTOR_LOST: model .*: its worker ended'],
    ['heap', 'EXECUTOR_LOST: model .*: its worker ended'],
  ])('%s: ends its worker and fails its batch alone', async (name, expected) => {
    const { opened, spec } = await faults({}, { heapMb: 32 }, name === 'heap' ? 10_000 : 300);
    const [a, b] = [await lane(opened, spec), await lane(opened, spec)];
    const outcome = errorOf(await runBatch(a, batchOf([[mode(name)]])));
    expect(outcome).toMatch(new RegExp(expected));
    expect(outcome).not.toMatch(/secret/);
    expect(a.broken && b.broken).toBe(true);
    expect(errorOf(await runBatch(b, batchOf([[mode('ok')]])))).toMatch(/its worker has ended/);
  });

  it('tells a lane that is idle', async () => {
    const { opened, spec } = await faults({ load: 'late-exit' });
    const idle = await lane(opened, spec);
    await new Promise<void>((resolve) => {
      idle.onBroken = resolve;
    });
    expect(idle.broken).toBe(true);
  });

  it('comes back under its executor, batches beside it unharmed, and is quarantined when it never works', async () => {
    const instances = [{ device: 'cpu' as const, deviceId: 0, count: 2 }];
    const opened = await open('faults.js', { instances, maxExecutionMs: 1_000 });
    const spec = specOf('script', opened.signature, 8);
    const plan = { spec, instances, maxExecutionMs: 1_000 };
    const executor = await createExecutor({ opened, plan, clock: realClock, log, recovery: RECOVERY });
    executors.push(executor);
    const impaired: boolean[] = [];
    executor.onImpaired = (value) => impaired.push(value);
    const offered: (() => void)[] = [];
    executor.onSlotFree = () => {
      for (const wake of offered.splice(0)) wake();
    };
    const until = async (holds: () => boolean) => {
      while (!holds()) await new Promise<void>((resolve) => offered.push(resolve));
    };
    const run = async (name: string) => {
      await until(() => executor.freeSlots() > 0);
      return new Promise<string>((resolve) => {
        executor.execute(batchOf([[mode(name)]]), (outcome) => resolve(errorOf(outcome)));
      });
    };
    await executor.warm({ inputs: [mode('ok')], rows: 1 });
    const bad = run('exit');
    const good = run('async');
    expect(await bad).toMatch(/EXECUTOR_LOST/);
    expect(await good).toBe('done');
    expect(impaired).toEqual([]);
    await until(() => executor.freeSlots() === 2);
    expect(await Promise.all([run('ok'), run('hang')])).toEqual(['done', expect.stringMatching(/EXECUTOR_LOST/)]);
    await until(() => executor.freeSlots() === 2);
    await executor.warm({ inputs: [mode('ok')], rows: 1 });
    for (let i = 0; i < 6; i++) expect(await run('exit')).toMatch(/EXECUTOR_LOST/);
    expect(executor.laneStates()).toEqual({ quarantined: 4 });
    expect(impaired.at(-1)).toBe(true);
    expect(executor.freeSlots()).toBe(0);
  });

  it('drains while busy: the run in flight is answered, then the worker ends', async () => {
    const opened = await threadBackend('script', { clock: realClock, log }).open(request('faults.js'));
    const spec = specOf('script', opened.signature, 8);
    const plan = { spec, instances: [{ device: 'cpu' as const, deviceId: 0, count: 1 }], maxExecutionMs: 0 };
    const executor = await createExecutor({ opened, plan, clock: realClock, log });
    const outcome = new Promise<BatchOutcome>((resolve) => executor.execute(batchOf([[mode('async')]]), resolve));
    await executor.stop();
    await opened.close();
    expect(errorOf(await outcome)).toBe('done');
    expect(executor.laneStates()).toEqual({ stopped: 2 });
    expect(log.lines.filter((line) => line.level === 'error')).toEqual([]);
  });

  it('lets a script clean up when its version is unloaded', async () => {
    const opened = await threadBackend('script', { clock: realClock, log }).open(request('echo.cjs'));
    await opened.close();
    expect(log.lines.map((line) => line.fields.text)).toContain('unloaded');
  });
});
