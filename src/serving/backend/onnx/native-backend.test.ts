import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import {
  batchOf,
  fixturePath,
  openRequest,
  outputsOf,
  realClock,
  silentLog,
  specOf,
  tensorOf,
} from '../../../../test/support/onnx-fixtures.js';
import type { OpenedModel, OpenRequest } from '../../../core/index.js';
import { bundledLibraryPath, onnxNativeBackend } from './index.js';
import { readSessionSettings } from './session-settings.js';

const backend = onnxNativeBackend({ log: silentLog, clock: realClock });
const opened: OpenedModel[] = [];

async function open(name: string, over: Partial<OpenRequest> = {}): Promise<OpenedModel> {
  const model = await backend.open(openRequest(name, over));
  opened.push(model);
  return model;
}

afterAll(async () => {
  await Promise.all(opened.map((model) => model.close()));
});

const CUDA = [{ device: 'cuda', deviceId: 0, count: 1 }] as const;

describe('opening a model', () => {
  it('reads names, data types and dimensions, free axes as -1', async () => {
    const { signature } = await open('cnn');
    expect(signature.inputs).toEqual([
      { name: 'image', dataType: 'FP32', foreignType: undefined, dims: [-1, 1, 8, 8], optional: false },
    ]);
    expect(signature.outputs.map(({ name, dims }) => [name, dims])).toEqual([
      ['scores', [-1, 3]],
      ['features', [-1, 4, 8, 8]],
    ]);
  });

  it('keeps initializers that may be overridden apart from inputs', async () => {
    const { signature } = await open('overridable');
    expect(signature.inputs.map((input) => input.name)).toEqual(['INPUT0']);
    expect(signature.overridable).toEqual([
      { name: 'BIAS', dataType: 'FP32', foreignType: undefined, dims: [4], optional: true },
    ]);
  });

  it('reads rank 0 and optional types', async () => {
    expect((await open('scalar')).signature.inputs[0]?.dims).toEqual([]);
    expect((await open('optional_input')).signature.inputs[1]).toMatchObject({
      name: 'MASK',
      dataType: 'FP32',
      dims: [-1, 4],
    });
  });

  it('names types that the protocol has no name for', async () => {
    expect((await open('unsupported_float8')).signature.outputs[0]).toMatchObject({
      dataType: undefined,
      foreignType: 'float8e4m3fn',
    });
    expect((await open('unsupported_sequence')).signature.outputs[0]).toMatchObject({
      dataType: undefined,
      foreignType: 'sequence',
    });
  });

  it.each([
    ['corrupt', /Protobuf parsing failed/],
    ['empty', /ModelProto/],
    ['unknown_op', /NoSuchOperator/],
    ['unsupported_complex64', /complex64/],
    ['no_such_file', /cannot be read/],
  ])('refuses %s as MODEL_INVALID with the reason and without paths', async (name, reason) => {
    const error: Error = await backend.open(openRequest(name)).then(
      () => expect.unreachable(),
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ reason: 'MODEL_INVALID', message: expect.stringMatching(reason) });
    expect(error.message).not.toContain(path.dirname(openRequest(name).modelPath));
    expect(error.message).not.toContain('onnxruntime_src');
  });

  it('tells which provider runs the nodes, shares summing to 1', async () => {
    const model = await open('mlp');
    expect(model.providers).toEqual({ CPUExecutionProvider: 1 });
    expect(model.fallback).toBeUndefined();
  });

  it('refuses a lane whose spec is not the model’s', async () => {
    const model = await open('mlp');
    const spec = specOf('mlp', model.signature, 4);
    const wrong = { ...spec, inputs: spec.inputs.map((input) => ({ ...input, dataType: 'FP64' as const })) };
    await expect(model.createLane(wrong, 0)).rejects.toMatchObject({
      reason: 'MODEL_INVALID',
      message: "input 'x': the config says FP64, the model has FP32",
    });
    await expect(model.createLane({ ...spec, outputs: [{ ...spec.inputs[0]!, name: 'y' }] }, 0)).rejects.toMatchObject({
      message: "output 'y': the config says FP32, the model has none of that name",
    });
  });

  it('gives the same answers with every combination of session parameters', async () => {
    const x = tensorOf(
      'x',
      'FP32',
      [1, 64],
      Float32Array.from({ length: 64 }, (_, i) => i / 64),
    );
    const answers: number[][] = [];
    const cases: readonly [Record<string, string>, number | undefined][] = [
      [{}, undefined],
      [{ intra_op_thread_count: '2', inter_op_thread_count: '2', execution_mode: '1' }, -1],
      [{ enable_mem_arena: '0', enable_mem_pattern: 'false' }, 2],
      [{ 'memory.enable_memory_arena_shrinkage': 'cpu:0', intra_op_thread_count: '0' }, 1],
      [{ 'session.intra_op.allow_spinning': '1', share_session_between_instances: 'true' }, 0],
    ];
    for (const [parameters, graphLevel] of cases) {
      const model = await open('mlp', { parameters, graphLevel });
      const lane = await model.createLane(specOf('mlp', model.signature, 4), 0);
      const [logits] = await outputsOf(lane, batchOf([[x]]));
      answers.push([...new Float32Array(logits?.data.buffer as ArrayBuffer)]);
    }
    for (const answer of answers) {
      for (let i = 0; i < 10; i++) expect(answer[i]).toBeCloseTo(answers[0]?.[i] as number, 5);
    }
  });
});

describe('the answers', () => {
  it.each([
    ['mlp', 64, [-1, 64]],
    ['cnn', 64, [-1, 1, 8, 8]],
  ])('of %s equal those of ONNX Runtime’s own JavaScript binding bit for bit', async (name, width, dims) => {
    const rows = 3;
    const values = Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i));
    const shape = [rows, ...dims.slice(1)];
    const binding = await InferenceSession.create(fixturePath(name), { intraOpNumThreads: 1 });
    const input = binding.inputNames[0] as string;
    const expected = await binding.run({ [input]: new Tensor('float32', values, shape) });
    const model = await open(name);
    const lane = await model.createLane(specOf(name, model.signature, 4), 0);
    for (const output of await outputsOf(lane, batchOf([[tensorOf(input, 'FP32', shape, values)]]))) {
      const same = expected[output.name] as Tensor;
      expect(output.shape).toEqual(same.dims);
      expect(new Float32Array(output.data.buffer as ArrayBuffer)).toEqual(same.data);
    }
    await binding.release();
  });
});

describe('backend parameters', () => {
  it.each([
    [{ intra_op_thread_cout: '1' }, /did you mean 'intra_op_thread_count'/],
    [{ 'session.disable_prepackin': '1' }, /did you mean 'session.disable_prepacking'/],
    [{ qwertyuiop: '1' }, /unknown backend parameter 'qwertyuiop'$/],
    [{ intra_op_thread_count: '-1' }, /expected an integer from 0 to 1024, got '-1'/],
    [{ intra_op_thread_count: '1e3' }, /expected an integer/],
    [{ execution_mode: '2' }, /from 0 to 1, got '2'/],
    [{ enable_mem_arena: 'maybe' }, /expected true or false, got 'maybe'/],
    [{ 'session.set_denormal_as_zero': '1', carrier: 'pool' }, /needs carrier thread, not pool/],
    [{ 'session.set_denormal_as_zero': '1', intra_op_thread_count: '2' }, /needs intra_op_thread_count 1/],
    [{ carrier: 'threads' }, /expected one of auto, pool, thread, sync, got 'threads'/],
    [{ 'session.optimized_model_filepath': '/x' }, /write files/],
    [{ 'session.enable_cpu_mem_arena': '1' }, /use enable_mem_arena/],
    [{ enable_mem_arena: '0', 'memory.enable_memory_arena_shrinkage': 'cpu:0' }, /needs the arena/],
    [{ constructor: '1' }, /unknown backend parameter 'constructor'/],
  ])('%j is refused', (parameters, message) => {
    expect(() => readSessionSettings(parameters as Record<string, string>, undefined)).toThrow(
      expect.objectContaining({ reason: 'MODEL_INVALID', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    [undefined, 99],
    [0, 99],
    [-1, 1],
    [1, 2],
    [2, 0],
  ])('graph level %j means what it means to Triton', (level, expected) => {
    expect(readSessionSettings({}, level).graphOptimization).toBe(expected);
  });

  it('refuses a graph level that Triton does not have', () => {
    expect(() => readSessionSettings({}, 3)).toThrow(expect.objectContaining({ reason: 'MODEL_INVALID' }));
  });

  it('runs one thread inside a node and does not spin, unless told', () => {
    const settings = readSessionSettings({}, undefined);
    expect(settings.intraOpThreads).toBe(1);
    expect(settings.sessionConfig.get('session.intra_op.allow_spinning')).toBe('0');
    expect(readSessionSettings({ intra_op_thread_count: '0' }, undefined).intraOpThreads).toBe(0);
  });

  it('take a container’s quota for "all cores", where it is below them', () => {
    const threads = (count: string, cores: number, quota: number | undefined) =>
      readSessionSettings({ intra_op_thread_count: count }, undefined, { cores, quota }).intraOpThreads;
    expect(threads('0', 64, 2)).toBe(2);
    expect(threads('0', 2, 4)).toBe(0);
    expect(threads('0', 64, undefined)).toBe(0);
    expect(threads('8', 64, 2)).toBe(8);
    expect(readSessionSettings({}, undefined, { cores: 64, quota: 2 }).intraOpThreads).toBe(1);
  });

  it('maps Triton’s older CUDA parameters to provider options', () => {
    const parameters = {
      cudnn_conv_algo_search: '1',
      arena_extend_strategy: '1',
      gpu_mem_limit: '7',
      do_copy_in_default_stream: 'false',
    };
    expect(readSessionSettings(parameters, undefined).cudaOptions).toEqual({
      cudnn_conv_algo_search: 'HEURISTIC',
      arena_extend_strategy: 'kSameAsRequested',
      gpu_mem_limit: '7',
      do_copy_in_default_stream: '0',
    });
  });
});

describe('the provider policy on a machine without the CUDA provider', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'ort-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const libraryPath = path.join(folder, 'libonnxruntime.so.1');
  copyFileSync(bundledLibraryPath(), libraryPath);
  const bare = onnxNativeBackend({ log: silentLog, clock: realClock, libraryPath });

  it('fails clearly: which files are missing and where they come from', async () => {
    await expect(bare.open(openRequest('mlp', { instances: CUDA }))).rejects.toMatchObject({
      reason: 'UNSUPPORTED',
      message: expect.stringMatching(
        /libonnxruntime_providers_shared\.so and libonnxruntime_providers_cuda\.so missing.*PyPI onnxruntime-gpu 1\./,
      ),
    });
  });

  it('falls back to the CPU without CUDA graphs where they were asked for', async () => {
    const binding = { ioBinding: false, pinnedMemory: true, cudaGraphBatchSizes: [1, 2] };
    const provider = { onGpuError: 'cpu', strict: false, options: {}, binding } as const;
    const model = await bare.open(openRequest('mlp', { instances: CUDA, provider }));
    opened.push(model);
    expect(model.placements).toEqual([{ device: 'cpu', deviceId: 0 }]);
    for (let i = 0; i < 2; i++) await model.createLane(specOf('mlp', model.signature, 2), 0);
  });

  it('falls back to the CPU where the policy says so, and says why', async () => {
    const provider = { onGpuError: 'cpu', strict: false, options: {} } as const;
    const model = await bare.open(
      openRequest('mlp', { instances: [...CUDA, { device: 'cpu', deviceId: 0, count: 1 }], provider }),
    );
    opened.push(model);
    expect(model.providers).toEqual({ CPUExecutionProvider: 1 });
    expect(model.fallback).toMatch(/the CUDA provider cannot be used on this machine/);
    const lanes = await Promise.all([0, 1].map((i) => model.createLane(specOf('mlp', model.signature, 2), i)));
    for (const lane of lanes) {
      const x = tensorOf('x', 'FP32', [1, 64], new Float32Array(64));
      expect(await outputsOf(lane, batchOf([[x]]))).toHaveLength(1);
    }
  });

  it('says so where the files are there but do not load', async () => {
    for (const file of ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so']) {
      writeFileSync(path.join(folder, file), 'no library');
    }
    await expect(bare.open(openRequest('mlp', { instances: CUDA }))).rejects.toMatchObject({ reason: 'UNSUPPORTED' });
  });

  it.each([
    [{ gpu_mem_limt: '1' }, /did you mean 'gpu_mem_limit'/],
    [{ enable_cuda_graph: '1' }, /CUDA graphs have fixed batch sizes: name them, provider.cuda_graph_batch_sizes/],
    [{ device_id: '1' }, /the instance group names the device/],
  ])('refuses provider options %j', async (options, message) => {
    const provider = { onGpuError: 'cpu', strict: false, options } as unknown as OpenRequest['provider'];
    await expect(bare.open(openRequest('mlp', { provider, instances: CUDA }))).rejects.toMatchObject({
      reason: 'MODEL_INVALID',
      message: expect.stringMatching(message),
    });
  });
});

describe('the memory that a model holds', () => {
  it('has its weights, and grows with what its runs need', async () => {
    const model = await open('mlp');
    const weights = model.memory?.();
    // 64 x 128, 128, 128 x 10 and 10 floats are more than 37 KB.
    expect(weights).toEqual([{ type: 'CPU', id: 0, bytes: expect.any(Number) }]);
    const before = weights?.[0]?.bytes ?? 0;
    expect(before).toBeGreaterThan(37_000);
    expect(before).toBeLessThan(200_000);
    const spec = specOf('mlp', model.signature, 512);
    const lane = await model.createLane(spec, 0);
    await outputsOf(lane, batchOf([[tensorOf('x', 'FP32', [512, 64], new Float32Array(512 * 64))]]));
    await lane.close();
    expect(model.memory?.()[0]?.bytes).toBeGreaterThan(before);
  });

  it('is not told where no arena keeps figures, and is none once the model is closed', async () => {
    expect((await open('mlp', { parameters: { enable_mem_arena: 'false' } })).memory?.()).toEqual([]);
    const model = await open('mlp');
    await model.close();
    expect(model.memory?.()).toEqual([]);
  });
});
