import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hostUsage } from './host-usage.js';

const MEMINFO = 'MemTotal:       16384 kB\nMemFree:         1024 kB\nMemAvailable:    4096 kB\n';
/** user nice system idle iowait irq softirq steal guest guest_nice */
const stat = (...ticks: number[]) => `cpu  ${ticks.join(' ')}\ncpu0 1 2 3 4\n`;

describe('usage of the host', () => {
  it('is what the kernel counted since the call before; waiting for disks is no use, guests count once', () => {
    const stats = [
      stat(100, 0, 100, 800, 0, 0, 0, 0, 50, 0),
      stat(130, 0, 120, 930, 20, 0, 0, 0, 80, 0),
      stat(130, 0, 121, 931, 20, 0, 0, 0, 80, 0),
      stat(230, 0, 220, 931, 20, 0, 0, 0, 180, 0),
    ];
    const usage = hostUsage((name) => (name === 'stat' ? (stats.shift() as string) : MEMINFO));
    expect(usage().cpuRatio).toBeUndefined();
    expect(usage()).toEqual({ cpuRatio: 0.25, memoryTotalBytes: 16_777_216, memoryUsedBytes: 12_582_912 });
    // Two ticks are too few to say anything else.
    expect(usage().cpuRatio).toBe(0.25);
    expect(usage().cpuRatio).toBeCloseTo(200 / 201, 9);
  });

  it('is not told where the kernel does not', () => {
    const usage = hostUsage(() => {
      throw new Error('ENOENT');
    });
    expect(usage()).toEqual({ cpuRatio: undefined, memoryTotalBytes: undefined, memoryUsedBytes: undefined });
    expect(hostUsage(() => 'nonsense')()).toEqual(usage());
  });

  it.skipIf(!existsSync('/proc/meminfo'))('is read on Linux', () => {
    const { memoryTotalBytes, memoryUsedBytes } = hostUsage()();
    expect(memoryTotalBytes).toBeGreaterThan(64 * 1024 ** 2);
    expect(memoryUsedBytes).toBeLessThan(memoryTotalBytes as number);
    expect(memoryUsedBytes).toBeGreaterThan(0);
  });
});
