import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixturePath } from '../../../../test/support/onnx-fixtures.js';
import { LOG_FATAL, ORT_FUNCTIONS, type OrtFunctionName } from './api-table.js';
import { callOffLoop } from './call-gate.js';
import { loadOrtLibrary, type NativeFunction, type OrtLibrary } from './library.js';
import { NativeMemory, nativeText } from './native-memory.js';
import { takeFailure } from './status.js';

// One wrong signature is a crash (facts page, trap 12): every function of the table is called here by itself, with its
// result looked at. The last test fails where a row of the table was never called.

const library: OrtLibrary = loadOrtLibrary();
const { env, allocator, cpuMemory, scratch } = library;
const called = new Set<string>();
const names = Object.keys(ORT_FUNCTIONS) as OrtFunctionName[];

/** The API, noting what is called. */
const api = Object.fromEntries(
  names.map((name) => {
    const fn = library.api[name];
    const noted = (...values: (number | string)[]) => {
      called.add(name);
      return fn(...values);
    };
    return [name, Object.assign(noted, { async: fn.async })];
  }),
) as unknown as Readonly<Record<OrtFunctionName, NativeFunction>>;

/** Calls a function that must succeed; the word that it wrote to its first out parameter, when that is the scratch. */
function ok(name: OrtFunctionName, ...values: (number | string)[]): number {
  const status = api[name](...values);
  if (status !== 0) throw takeFailure(api, status);
  return scratch.word(0);
}
const out = scratch.address;
let session = 0;
let mlp = 0;

async function load(name: string): Promise<number> {
  const options = ok('CreateSessionOptions', out);
  ok('SetIntraOpNumThreads', options, 1);
  ok('SetInterOpNumThreads', options, 1);
  ok('SetSessionExecutionMode', options, 0);
  ok('SetSessionGraphOptimizationLevel', options, 99);
  ok('AddSessionConfigEntry', options, 'session.record_ep_graph_assignment_info', '1');
  for (const name of ['DisableMemPattern', 'EnableMemPattern', 'DisableCpuMemArena', 'EnableCpuMemArena'] as const) {
    ok(name, options);
  }
  called.add('CreateSession');
  const target = new NativeMemory(8);
  const status = await callOffLoop(api.CreateSession, [env, fixturePath(name), options, target.address], target);
  if (status !== 0) throw takeFailure(api, status);
  api.ReleaseSessionOptions(options);
  return target.word(0);
}

beforeAll(async () => {
  session = await load('overridable');
  mlp = await load('mlp');
});

afterAll(() => {
  api.ReleaseSession(session);
  api.ReleaseSession(mlp);
});

describe('every bound call', () => {
  it('tells the build it comes from', () => {
    expect(api.GetBuildInfoString()).toMatch(/ORT Build Info/);
    const providers = ok('GetAvailableProviders', out, out + 8);
    const count = scratch.int(1);
    expect(count).toBeGreaterThan(0);
    library.copy(out + 16, providers, 8);
    expect(library.textAt(scratch.word(2))).toMatch(/ExecutionProvider$/);
    ok('ReleaseAvailableProviders', providers, count);
  });

  it('makes the environment, the allocator and the memory description', () => {
    expect(ok('CreateEnv', LOG_FATAL, 'test', out)).toBe(env);
    expect(ok('GetAllocatorWithDefaultOptions', out)).toBe(allocator);
    expect(ok('CreateCpuMemoryInfo', 0, 0, out)).toBeGreaterThan(0);
  });

  it('makes threads that sessions share', () => {
    const threading = ok('CreateThreadingOptions', out);
    ok('SetGlobalIntraOpNumThreads', threading, 2);
    ok('SetGlobalInterOpNumThreads', threading, 1);
    ok('SetGlobalSpinControl', threading, 0);
    // The library has one environment: this is the one that is there.
    expect(ok('CreateEnvWithGlobalThreadPools', LOG_FATAL, 'test', threading, out)).toBe(env);
    api.ReleaseThreadingOptions(threading);
    const options = ok('CreateSessionOptions', out);
    ok('DisablePerSessionThreads', options);
    api.ReleaseSessionOptions(options);
  });

  it('reads names and types of a session', () => {
    expect(ok('SessionGetInputCount', session, out)).toBe(1);
    expect(ok('SessionGetOutputCount', session, out)).toBe(1);
    expect(ok('SessionGetOverridableInitializerCount', session, out)).toBe(1);
    const kinds = { Input: 'INPUT0', Output: 'OUTPUT0', OverridableInitializer: 'BIAS' } as const;
    for (const [kind, expected] of Object.entries(kinds)) {
      const name = ok(`SessionGet${kind}Name` as OrtFunctionName, session, 0, allocator, out);
      expect(library.textAt(name)).toBe(expected);
      ok('AllocatorFree', allocator, name);
      const type = ok(`SessionGet${kind}TypeInfo` as OrtFunctionName, session, 0, out);
      ok('GetOnnxTypeFromTypeInfo', type, out);
      expect(scratch.int(0)).toBe(1);
      const tensor = ok('CastTypeInfoToTensorInfo', type, out);
      ok('GetTensorElementType', tensor, out);
      expect(scratch.int(0)).toBe(1);
      expect(api.TensorTypeAndShape_HasShape(tensor)).toBe(true);
      const rank = ok('GetDimensionsCount', tensor, out);
      ok('GetDimensions', tensor, out, rank);
      expect(scratch.signedWord(rank - 1)).toBe(4);
      expect(scratch.signedWord(0)).toBe(kind === 'OverridableInitializer' ? 4 : -1);
      ok('GetSymbolicDimensions', tensor, out, rank);
      expect(library.textAt(scratch.word(0))).toBe(kind === 'OverridableInitializer' ? '' : 'batch');
      expect(library.textAt(scratch.word(rank - 1))).toBe('');
      expect(ok('CastTypeInfoToOptionalTypeInfo', type, out)).toBe(0);
      api.ReleaseTypeInfo(type);
    }
  });

  it('reads optional types', async () => {
    const optional = await load('optional_input');
    const type = ok('SessionGetInputTypeInfo', optional, 1, out);
    ok('GetOnnxTypeFromTypeInfo', type, out);
    expect(scratch.int(0)).toBe(6);
    const contained = ok('GetOptionalContainedTypeInfo', ok('CastTypeInfoToOptionalTypeInfo', type, out), out);
    ok('GetOnnxTypeFromTypeInfo', contained, out);
    expect(scratch.int(0)).toBe(1);
    api.ReleaseTypeInfo(contained);
    api.ReleaseTypeInfo(type);
    api.ReleaseSession(optional);
  });

  it('tells which provider has which nodes', () => {
    ok('Session_GetEpGraphAssignmentInfo', mlp, out, out + 8);
    const [subgraphs, count] = [scratch.word(0), scratch.word(1)];
    expect(count).toBeGreaterThan(0);
    library.copy(out, subgraphs, 8);
    const subgraph = scratch.word(0);
    expect(library.textAt(ok('EpAssignedSubgraph_GetEpName', subgraph, out))).toBe('CPUExecutionProvider');
    ok('EpAssignedSubgraph_GetNodes', subgraph, out, out + 8);
    expect(scratch.word(1)).toBeGreaterThan(0);
  });

  it('makes tensors over our memory and runs over them', () => {
    const x = new NativeMemory(64 * 4);
    new Float32Array(x.bytes.buffer, x.bytes.byteOffset, 64).fill(0.5);
    scratch.setWord(0, 1);
    scratch.setWord(1, 64);
    ok('CreateTensorWithDataAsOrtValue', cpuMemory, x.address, 256, out, 2, 1, out + 16);
    const value = scratch.word(2);
    ok('IsTensor', value, out);
    expect(scratch.int(0)).toBe(1);
    ok('HasValue', value, out);
    expect(scratch.int(0)).toBe(1);
    expect(ok('GetTensorMutableData', value, out)).toBe(x.address);

    const [inName, outName] = [nativeText('x'), nativeText('logits')];
    const arrays = new NativeMemory(32);
    arrays.setWord(0, inName.address);
    arrays.setWord(1, value);
    arrays.setWord(2, outName.address);
    const options = ok('CreateRunOptions', out);
    ok('AddRunConfigEntry', options, 'memory.enable_memory_arena_shrinkage', 'cpu:0');
    ok('RunOptionsSetTerminate', options);
    const at = arrays.address;
    const stopped = api.Run(mlp, options, at, at + 8, 1, at + 16, 1, at + 24);
    expect(stopped).not.toBe(0);
    expect(api.GetErrorCode(stopped)).toBeGreaterThan(0);
    expect(api.GetErrorMessage(stopped)).toMatch(/terminate flag/);
    api.ReleaseStatus(stopped);
    ok('RunOptionsUnsetTerminate', options);
    const plain = ok('CreateRunOptions', out);
    ok('Run', mlp, plain, at, at + 8, 1, at + 16, 1, at + 24);
    const logits = arrays.word(3);
    const info = ok('GetTensorTypeAndShape', logits, out);
    expect(ok('GetDimensionsCount', info, out)).toBe(2);
    api.ReleaseTensorTypeAndShapeInfo(info);
    for (const release of [value, logits]) api.ReleaseValue(release);
    for (const release of [options, plain]) api.ReleaseRunOptions(release);
  });

  it('binds tensors in memory of the session and runs over them', () => {
    const info = ok('CreateMemoryInfo', 'Cpu', 0, 0, 0, out);
    api.MemoryInfoGetDeviceType(info, out);
    expect([scratch.int(0), api.MemoryInfoGetDeviceMemType(info)]).toEqual([0, 0]);
    const here = ok('CreateAllocator', mlp, info, out);
    const place = ok('AllocatorAlloc', here, 256, out);
    const x = new NativeMemory(256);
    new Float32Array(x.bytes.buffer, x.bytes.byteOffset, 64).fill(0.5);
    library.copy(place, x.address, 256);
    const value = (data: number, columns: number) => {
      scratch.setWord(0, 1);
      scratch.setWord(1, columns);
      ok('CreateTensorWithDataAsOrtValue', info, data, columns * 4, out, 2, 1, out + 16);
      return scratch.word(2);
    };
    const logits = new NativeMemory(40);
    const [input, output] = [value(place, 64), value(logits.address, 10)];
    const binding = ok('CreateIoBinding', mlp, out);
    ok('BindInput', binding, 'x', input);
    ok('BindOutput', binding, 'logits', output);
    const options = ok('CreateRunOptions', out);
    ok('RunWithBinding', mlp, options, binding);
    expect(new Float32Array(logits.bytes.buffer, logits.bytes.byteOffset, 10).some((logit) => logit !== 0)).toBe(true);
    for (const ask of ['SessionGetMemoryInfoForInputs', 'SessionGetMemoryInfoForOutputs'] as const) {
      const found = ok(ask, mlp, out, 1);
      api.MemoryInfoGetDeviceType(found, out);
      expect(scratch.int(0)).toBe(0);
    }
    api.ReleaseIoBinding(binding);
    api.ReleaseRunOptions(options);
    for (const release of [input, output]) api.ReleaseValue(release);
    const figures = ok('AllocatorGetStats', here, out);
    expect(Number(api.GetKeyValue(figures, 'InUse'))).toBeGreaterThan(256);
    expect(api.GetKeyValue(figures, 'no such key')).toBeNull();
    api.ReleaseKeyValuePairs(figures);
    ok('AllocatorFree', here, place);
    api.ReleaseAllocator(here);
    const pinned = ok('CreateMemoryInfo', 'CudaPinned', 0, 0, -1, out);
    const refused = api.CreateAllocator(mlp, pinned, out);
    expect(takeFailure(api, refused).message).toMatch(/No requested allocator available/);
    for (const release of [info, pinned]) api.ReleaseMemoryInfo(release);
  });

  it('fills and reads strings', () => {
    scratch.setWord(0, 2);
    ok('CreateTensorAsOrtValue', allocator, out, 1, 8, out + 8);
    const value = scratch.word(1);
    const text = nativeText('a\0b');
    library.copy(ok('GetResizedStringTensorElementBuffer', value, 0, 3, out), text.address, 3);
    expect(ok('GetStringTensorDataLength', value, out)).toBe(3);
    const content = new NativeMemory(3);
    const offsets = new NativeMemory(16);
    ok('GetStringTensorContent', value, content.address, 3, offsets.address, 2);
    expect([...content.bytes.subarray(0, 3)]).toEqual([97, 0, 98]);
    expect([offsets.word(0), offsets.word(1)]).toEqual([0, 3]);
    api.ReleaseValue(value);
  });

  it('refuses CUDA by a status where its provider is not there', async () => {
    const options = ok('CreateSessionOptions', out);
    scratch.setWord(0, 0);
    const created = api.CreateCUDAProviderOptions(out);
    const cuda = scratch.word(0);
    const updated = api.UpdateCUDAProviderOptions(cuda, out + 8, out + 16, 0);
    const appended = api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda);
    for (const status of [created, updated, appended]) {
      if (status !== 0) expect(takeFailure(api, status).message).not.toBe('');
    }
    api.ReleaseCUDAProviderOptions(cuda);
    api.ReleaseSessionOptions(options);
  });

  it('writes the optimised model where it is told to', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'penstock-bound-'));
    const options = ok('CreateSessionOptions', out);
    const target = new NativeMemory(8);
    try {
      const saved = path.join(folder, 'saved.onnx');
      ok('SetOptimizedModelFilePath', options, saved);
      const status = await callOffLoop(api.CreateSession, [env, fixturePath('mlp'), options, target.address], target);
      if (status !== 0) throw takeFailure(api, status);
      api.ReleaseSession(target.word(0));
      expect(statSync(saved).size).toBeGreaterThan(1000);
    } finally {
      api.ReleaseSessionOptions(options);
      rmSync(folder, { recursive: true });
    }
  });

  it('leaves no row of the table out', () => {
    // Released in afterAll; noted here because that comes later.
    called.add('ReleaseSession');
    expect(names.filter((name) => !called.has(name))).toEqual([]);
  });
});
