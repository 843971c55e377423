import { describe, expect, it } from 'vitest';
import { readSessionSettings } from '../session-settings.js';
import { type CompiledFrom, cacheKey, machineFacts, settingsFacts } from './cache-key.js';

const FROM: CompiledFrom = {
  model: 'a'.repeat(64),
  external: [
    ['weights.bin', 'b'.repeat(64)],
    ['more.bin', 'c'.repeat(64)],
  ],
  runtime: { version: '1.30.0', build: 'ORT Build Info: git-commit-id=1', libraryBytes: 1000 },
  machine: { platform: 'linux-x64', cpu: 'flags : avx2' },
  provider: 'CPUExecutionProvider',
  settings: settingsFacts(readSessionSettings({}, undefined)),
};
const settings = (parameters: Record<string, string>, level?: number) =>
  settingsFacts(readSessionSettings(parameters, level));

describe('the key of a compiled model', () => {
  it('is the same for the same facts, in whatever order they came', () => {
    expect(cacheKey({ ...FROM, external: [...FROM.external].reverse() })).toBe(cacheKey(structuredClone(FROM)));
    const [a, b] = ['session.x64quantprecision', 'session.strict_shape_type_inference'];
    expect(settings({ [a!]: '1', [b!]: '0' })).toEqual(settings({ [b!]: '0', [a!]: '1' }));
  });

  const changes: readonly (readonly [string, Partial<CompiledFrom>])[] = [
    ['the model file', { model: 'd'.repeat(64) }],
    ['external data', { external: [['weights.bin', 'd'.repeat(64)], FROM.external[1]!] }],
    ['the name of external data', { external: [['other.bin', 'b'.repeat(64)], FROM.external[1]!] }],
    ['one file of external data less', { external: [FROM.external[0]!] }],
    [
      'contents changed about',
      {
        external: [
          ['weights.bin', 'c'.repeat(64)],
          ['more.bin', 'b'.repeat(64)],
        ],
      },
    ],
    ['the version of ONNX Runtime', { runtime: { ...FROM.runtime, version: '1.31.0' } }],
    ['its build', { runtime: { ...FROM.runtime, build: 'ORT Build Info: git-commit-id=2' } }],
    ['its library', { runtime: { ...FROM.runtime, libraryBytes: 1001 } }],
    ['the platform', { machine: { ...FROM.machine, platform: 'linux-arm64' } }],
    ['the features of the CPU', { machine: { ...FROM.machine, cpu: 'flags : avx2 avx512f' } }],
    ['the provider', { provider: 'CUDAExecutionProvider:0' }],
    ['the graph level', { settings: settings({}, -1) }],
    ['a session parameter', { settings: settings({ 'session.disable_quant_qdq': '1' }) }],
    ['the number of threads', { settings: settings({ intra_op_thread_count: '2' }) }],
  ];
  it.each(changes)('differs where %s differs', (_what, change) => {
    expect(cacheKey({ ...FROM, ...change })).not.toBe(cacheKey(FROM));
  });

  it('no two of these changes give one key', () => {
    const keys = changes.map(([, change]) => cacheKey({ ...FROM, ...change }));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('knows the CPU of this machine', () => {
    const { platform, cpu } = machineFacts();
    expect(platform).toBe(`${process.platform}-${process.arch}`);
    expect(cpu).not.toBe('');
    if (process.platform === 'linux') expect(cpu).toMatch(/^(?:flags|Features)\s*:/m);
  });
});
