import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { coreQuota, poolThreads, usableCores } from './index.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'penstock-cgroup-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const GROUP = { 'proc/self/cgroup': '12:cpu:/\n0::/pods/one\n' };
const V2 = 'sys/fs/cgroup';
const V1 = 'sys/fs/cgroup/cpu';

describe('the CPU quota of a container', () => {
  const cases: readonly (readonly [string, Record<string, string>, number | undefined])[] = [
    ['no control groups', {}, undefined],
    ['none set', { [`${V2}/cpu.max`]: 'max 100000\n' }, undefined],
    ['two cores', { [`${V2}/cpu.max`]: '200000 100000\n' }, 2],
    ['one core and a half, rounded up', { [`${V2}/cpu.max`]: '150000 100000\n' }, 2],
    ['a tenth of a core, at least one', { [`${V2}/cpu.max`]: '10000 100000\n' }, 1],
    ['its own group', { ...GROUP, [`${V2}/pods/one/cpu.max`]: '300000 100000\n' }, 3],
    [
      'the tightest of the groups above',
      {
        ...GROUP,
        [`${V2}/pods/one/cpu.max`]: 'max 100000',
        [`${V2}/pods/cpu.max`]: '100000 50000',
        [`${V2}/cpu.max`]: '900000 100000',
      },
      2,
    ],
    ['version 1', { [`${V1}/cpu.cfs_quota_us`]: '400000\n', [`${V1}/cpu.cfs_period_us`]: '100000\n' }, 4],
    ['version 1, none set', { [`${V1}/cpu.cfs_quota_us`]: '-1\n', [`${V1}/cpu.cfs_period_us`]: '100000\n' }, undefined],
    ['a text that means nothing', { [`${V2}/cpu.max`]: 'many\n' }, undefined],
  ];
  it.each(cases)('%s', (_case, files, expected) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    expect(coreQuota(root)).toBe(expected);
    expect(usableCores(root)).toBe(Math.min(availableParallelism(), expected ?? 1000));
  });
});

describe('the size of the pool', () => {
  it.each([
    [1, 8],
    [2, 8],
    [16, 36],
    [1000, 256],
  ])('for %i cores is %i, within what libuv takes', (cores, threads) => {
    expect(poolThreads(cores)).toBe(threads);
  });
});
