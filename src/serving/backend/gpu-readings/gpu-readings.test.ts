import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/support/fake-clock.js';
import { buildNvmlStub, hasCompiler } from '../../../../test/support/nvml-stub.js';
import { eventually } from '../../../../test/support/running-gateway.js';
import { SilentLog } from '../../../../test/support/silent-log.js';
import { GpuReadings, type GpuReadingsOptions } from './gpu-readings.js';
import { NvidiaSmi, readGpuRow } from './nvidia-smi.js';
import { samePlace, visibleGpus } from './visible-gpus.js';

const A = { uuid: 'GPU-aaaa0000-1111', busId: '00000000:65:00.0' };
const B = { uuid: 'GPU-bbbb0000-2222', busId: '00000000:CA:00.0' };
const NOWHERE = '/nonexistent/libnvidia-ml.so.1';

function readings(options: Partial<GpuReadingsOptions> = {}) {
  const clock = new FakeClock();
  const log = new SilentLog();
  const parts = { clock, log, inUse: () => [0], always: false, visibleDevices: undefined, busIdOf: () => undefined };
  return { clock, log, gpus: new GpuReadings({ ...parts, ...options }) };
}

describe.skipIf(!hasCompiler)('figures of GPUs by NVML (a stand-in with its struct layouts)', () => {
  const nvml = hasCompiler ? buildNvmlStub() : '';

  it('are decoded, in base units; what a GPU does not tell stays undefined', async () => {
    const { gpus } = readings({ nvml });
    expect(gpus.read()).toEqual([]);
    await gpus.open();
    expect(gpus.read()).toEqual([
      {
        device: 'cuda:0',
        uuid: A.uuid,
        product: 'NVIDIA H200',
        energyJoules: 5001.25,
        powerWatts: 345.678,
        powerLimitWatts: 700,
        memoryUsedBytes: 8 * 1024 ** 3,
        memoryTotalBytes: 150_754_820_096,
        utilisation: 0.87,
        temperatureCelsius: 64,
      },
      {
        device: 'cuda:1',
        uuid: B.uuid,
        product: 'NVIDIA L4',
        energyJoules: undefined,
        powerWatts: 31,
        powerLimitWatts: 72,
        memoryUsedBytes: 0,
        memoryTotalBytes: 24_152_899_584,
        utilisation: undefined,
        temperatureCelsius: 41,
      },
    ]);
    gpus.close();
    expect(gpus.read()).toEqual([]);
  });

  it('are not read again within half a second, and the energy grows', async () => {
    const { gpus, clock } = readings({ nvml });
    await gpus.open();
    const energy = () => gpus.read()[0]?.energyJoules as number;
    const first = energy();
    expect(energy()).toBe(first);
    clock.advance(0.5e9);
    expect(energy()).toBe(first + 1);
    gpus.close();
  });

  it('carry the numbers of CUDA_VISIBLE_DEVICES, and those that CUDA itself says', async () => {
    const seen = async (options: Partial<GpuReadingsOptions>) => {
      const { gpus } = readings({ nvml, ...options });
      await gpus.open();
      const found = gpus.read().map(({ device, uuid }) => [device, uuid]);
      gpus.close();
      return found;
    };
    expect(await seen({ visibleDevices: '1' })).toEqual([['cuda:0', B.uuid]]);
    // CUDA counts the fastest first where it is not told otherwise: what it says of a number counts.
    const busIdOf = (id: number) => (id === 0 ? '0000:ca:00.0' : '0000:65:00.0');
    expect(await seen({ inUse: () => [0, 1], busIdOf })).toEqual([
      ['cuda:0', B.uuid],
      ['cuda:1', A.uuid],
    ]);
  });

  it('are not looked for while no model runs on a GPU, except where that is asked for', async () => {
    const idle = readings({ nvml, inUse: () => [] });
    expect(idle.gpus.read()).toEqual([]);
    await new Promise(setImmediate);
    expect(idle.gpus.read()).toEqual([]);
    const asked = readings({ nvml, inUse: () => [], always: true });
    asked.gpus.read();
    await asked.gpus.open();
    expect(asked.gpus.read()).toHaveLength(2);
    asked.gpus.close();
  });
});

/** A reading that was taken too early is not the last one. */
function pass(clock: FakeClock): false {
  clock.advance(0.6e9);
  return false;
}

describe('figures of GPUs by nvidia-smi', () => {
  const ROW = 'GPU-aaaa0000-1111, 00000000:65:00.0, NVIDIA H200, 345.68, 700.00, 8192, 143771, 87, 64';

  it('are rows of its CSV form', () => {
    expect(readGpuRow(ROW)).toEqual({
      ...A,
      product: 'NVIDIA H200',
      energyJoules: undefined,
      powerWatts: 345.68,
      powerLimitWatts: 700,
      memoryUsedBytes: 8 * 1024 ** 3,
      memoryTotalBytes: 143_771 * 1024 ** 2,
      utilisation: 0.87,
      temperatureCelsius: 64,
    });
    expect(readGpuRow('GPU-1, 0:1:0.0, X, [N/A], [N/A], [N/A], [N/A], [N/A], [N/A]')).toMatchObject({
      powerWatts: undefined,
      utilisation: undefined,
    });
    for (const line of ['', 'Unable to determine the device handle', 'a, b, c', `${ROW}, 1`]) {
      expect(readGpuRow(line)).toBeUndefined();
    }
  });

  /** A program that tells a row as `nvidia-smi -l 1` does, notes its starts, and ends or stays. */
  function program(then: string): { path: string; starts: () => number } {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-smi-'));
    const [path, notes] = [join(folder, 'nvidia-smi'), join(folder, 'starts')];
    writeFileSync(path, `#!/bin/sh\necho $$ >> ${notes}\necho '${ROW}'\n${then}\n`);
    chmodSync(path, 0o755);
    const lines = () => (existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n') : []);
    return { path, starts: () => lines().length };
  }

  it('come from one long-lived process, which ends with the readings', async () => {
    const { path, starts } = program('exec sleep 60');
    const { gpus, clock } = readings({ nvml: NOWHERE, nvidiaSmi: path });
    await gpus.open();
    await eventually(() => gpus.read().length > 0 || pass(clock), 'a row is read');
    expect(gpus.read()).toMatchObject([{ device: 'cuda:0', product: 'NVIDIA H200', powerWatts: 345.68 }]);
    expect(starts()).toBe(1);
    gpus.close();
    expect(gpus.read()).toEqual([]);
  });

  it('are not told where they are old, and the process that ended is started again after a pause that grows', async () => {
    const { path, starts } = program('exit 3');
    const clock = new FakeClock();
    const log = new SilentLog();
    const smi = new NvidiaSmi({ clock, log, program: path });
    const pauses = () => log.lines.map(({ fields }) => fields.afterMs);
    await eventually(() => pauses().length === 1 && smi.figures().length === 1, 'the program ended');
    clock.advance(10e9);
    expect(smi.figures()).toEqual([]);
    await eventually(() => pauses().length === 2, 'it is started again');
    expect(starts()).toBe(2);
    expect(pauses()).toEqual([1000, 1000]);
    smi.close();
  });

  it('are absent without a word but one for the curious where nothing can tell them', async () => {
    const { gpus, log } = readings({ nvml: NOWHERE, nvidiaSmi: '/nonexistent/nvidia-smi' });
    await gpus.open();
    await eventually(() => log.lines.length === 2, 'both are not there');
    expect(gpus.read()).toEqual([]);
    expect(log.lines.map(({ level }) => level)).toEqual(['debug', 'debug']);
    gpus.close();
  });
});

describe('the numbers of GPUs', () => {
  it.each([
    [undefined, [A, B]],
    ['1,0', [B, A]],
    [' 1 ', [B]],
    ['GPU-bbbb', [B]],
    ['GPU-bbbb0000-2222, GPU-aaaa', [B, A]],
    ['', []],
    ['-1', []],
    ['1,7,0', [B]],
    ['0,0,1', [A]],
    ['MIG-aaaa', []],
    ['GPU-', []],
  ])('follow CUDA_VISIBLE_DEVICES=%s', (variable, wanted) => {
    expect(visibleGpus([A, B], variable)).toEqual(wanted);
  });

  it('match places however their domain is written', () => {
    expect(samePlace('0000:65:00.0', '00000000:65:00.0')).toBe(true);
    expect(samePlace('0001:CA:00.0', '00000001:ca:00.0')).toBe(true);
    expect(samePlace('0000:65:00.0', '00010000:65:00.0')).toBe(false);
    expect(samePlace('0000:65:00.0', '0000:66:00.0')).toBe(false);
  });
});
