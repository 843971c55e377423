import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CNN_MODEL, MLP_MODEL } from './embedded-models.js';
import { oldDriver, readGpuRows, UNKNOWN_GPU, whyUnable } from './gpu-machine.js';
import { type GpuReport, reportText } from './report.js';
import { implausible } from './telemetry.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const H200 = { name: 'NVIDIA H200', driver: '580.95.05', memoryMiB: 143771, computeCapability: '9.0' };
const FACTS = {
  machine: 'linux x64',
  gpus: [H200],
  missingFiles: [],
  folder: '/ort',
  ortVersion: '1.30.0',
};

const READING = {
  device: 'cuda:0',
  product: 'NVIDIA H200',
  uuid: 'GPU-1',
  energyJoules: 1000,
  powerWatts: 345,
  powerLimitWatts: 700,
  memoryUsedBytes: 8 * 1024 ** 3,
  memoryTotalBytes: 140 * 1024 ** 3,
  utilisation: 0.87,
  temperatureCelsius: 64,
};

describe('figures of the GPU around the check', () => {
  const told = (after: object, before: object = { energyJoules: 100 }) =>
    implausible({ before: { ...READING, ...before }, after: { ...READING, ...after }, elapsedSeconds: 3 });

  it('are taken where they can be true, and where they are absent', () => {
    expect(told({})).toEqual([]);
    expect(told({ energyJoules: undefined, utilisation: undefined, memoryUsedBytes: undefined })).toEqual([]);
    expect(implausible({ before: undefined, after: undefined, elapsedSeconds: 1 })).toEqual([]);
  });

  it.each([
    ['energy in other units', { energyJoules: 1e6 }],
    ['energy that does not grow', { energyJoules: 100 }],
    ['more memory used than there is', { memoryUsedBytes: 1e12 }],
    ['a utilisation in percent', { utilisation: 87 }],
    ['a temperature of another field', { temperatureCelsius: 0 }],
  ])('are refused: %s', (_, after) => {
    expect(told(after)).toHaveLength(1);
  });
});

describe('penstock gpu-check', () => {
  it.skipIf(existsSync('/dev/nvidiactl') || existsSync('/dev/dxg'))(
    'says in one line what is missing here, and ends with its own code',
    () => {
      const run = (...flags: string[]) =>
        spawnSync(process.execPath, [`${ROOT}dist/cli/penstock.cjs`, 'gpu-check', ...flags], { encoding: 'utf8' });
      const plain = run();
      expect(plain.status).toBe(4);
      expect(plain.stdout).toBe('');
      expect(plain.stderr).toMatch(/^penstock: gpu-check cannot run: [^\n]+; [^\n]+\n$/);
      const json = run('--json');
      expect(json.status).toBe(4);
      expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, unable: expect.any(String) });
    },
  );

  it('carries the models of the bench', () => {
    for (const [name, text] of Object.entries({ mlp: MLP_MODEL, cnn: CNN_MODEL })) {
      expect(text).toBe(readFileSync(`${ROOT}native-bench/models/${name}/1/model.onnx`).toString('base64'));
    }
  });

  it('names what is missing, and where it goes', () => {
    expect(whyUnable(FACTS)).toBeUndefined();
    expect(whyUnable({ ...FACTS, gpus: [] })).toMatch(/no NVIDIA GPU .*driver 580 or newer$/);
    expect(whyUnable({ ...FACTS, machine: 'darwin arm64' })).toMatch(/this is darwin arm64/);
    const missing = whyUnable({ ...FACTS, missingFiles: ['libonnxruntime_providers_cuda.so'] });
    expect(missing).toMatch(/NVIDIA H200 is here/);
    expect(missing).toMatch(/copy libonnxruntime_providers_cuda.so of PyPI onnxruntime-gpu 1.30.0 into \/ort/);
    expect(missing).not.toMatch(/\n/);
  });

  it('reads what the driver tells of its GPUs', () => {
    expect(readGpuRows('NVIDIA H200, 580.95.05, 143771, 9.0\nNVIDIA T4, 550.1, [N/A], 7.5\n')).toEqual([
      H200,
      { name: 'NVIDIA T4', driver: '550.1', memoryMiB: undefined, computeCapability: '7.5' },
    ]);
    expect(readGpuRows('')).toEqual([]);
    expect(oldDriver(H200)).toBeUndefined();
    expect(oldDriver(UNKNOWN_GPU)).toBeUndefined();
    expect(oldDriver({ ...H200, driver: '570.86' })).toMatch(/570.86 is older than 580/);
  });

  it('shows both devices side by side, and what is wrong', () => {
    const speed = { rows: 8, p50Us: 400, p99Us: 500, rowsPerSecond: 20_000, executions: 10 };
    const agreement = { precision: 'FP32', tolerance: 1e-4, comparisons: 32, worst: 2e-7, faults: [] };
    const report: GpuReport = {
      format: 1,
      date: '2026-01-02T03:04:05.000Z',
      ok: false,
      problems: ['mlp: wrong'],
      versions: { penstock: '1.0.0', node: '24.0.0', onnxRuntime: '1.30.0' },
      gpu: { ...H200, deviceId: 0 },
      cpu: { model: 'a CPU', cores: 16, intraOpThreads: 1 },
      telemetry: {
        before: { ...READING, energyJoules: 100 },
        after: READING,
        elapsedSeconds: 3,
        readUs: 120,
        problems: [],
      },
      models: [
        {
          name: 'mlp',
          providers: { CUDAExecutionProvider: 1 },
          agreements: [agreement],
          cpu: [speed],
          cuda: [{ ...speed, p50Us: 100, rowsPerSecond: 90_000 }],
          modes: [
            { name: 'graphs', agreement, speeds: [{ ...speed, p50Us: 50, rowsPerSecond: 180_000 }] },
            { name: 'broken', agreement, speeds: [] },
          ],
        },
      ],
    };
    const text = reportText(report);
    expect(text).toContain(
      '(GPU-1): 900.0 J in 3.0 s, 345 W of 700 W, memory 8.0 of 140.0 GiB, utilisation 87 %, 64 degrees',
    );
    expect(text).toContain('a reading takes 120 us');
    expect(text).toContain('NVIDIA H200, driver 580.95.05, 140 GiB, compute capability 9.0');
    expect(text).toContain('CUDAExecutionProvider 100 % of nodes');
    expect(text).toMatch(/8 +400 +100 +4\.00 +20000 +90000 +4\.50/);
    expect(text).toMatch(/graphs, beside the default:\n.*\n *8 +100 +50 +2\.00 +90000 +180000 +2\.00/);
    expect(text).toContain('broken: did not run');
    expect(text).toContain('NOT OK\n  mlp: wrong\n');
  });
});
