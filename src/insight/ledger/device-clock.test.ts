import { describe, expect, it } from 'vitest';
import { DeviceClock } from './device-clock.js';

const HOUR_NS = 3600e9;
const clock = (perHour = 1) => new DeviceClock('cpu', 0, { kind: 'market', perHour }, 1000);

describe('the time of a device', () => {
  it('is shared at each instant by the executions that run', () => {
    const device = clock();
    const a = device.begin(1000);
    const b = device.begin(3000);
    expect(device.end(a, 5000)).toBe(3000);
    expect(device.end(b, 7000)).toBe(3000);
    expect(device.timesAt(8000)).toEqual({ elapsedNs: 7000, idleNs: 1000, runningNs: 0 });
  });

  it('is running while it is in no share yet, idle where nothing runs', () => {
    const device = clock();
    const a = device.begin(2000);
    device.begin(3000);
    expect(device.timesAt(4000)).toEqual({ elapsedNs: 3000, idleNs: 1000, runningNs: 2000 });
    expect(device.end(a, 4000)).toBe(1500);
    expect(device.timesAt(4000)).toEqual({ elapsedNs: 3000, idleNs: 1000, runningNs: 500 });
  });

  it('counts an end that is told late as of what came since, and loses nothing', () => {
    const device = clock();
    const a = device.begin(1000);
    const b = device.begin(4000);
    expect(device.end(a, 3000)).toBe(3000);
    expect(device.end(b, 6000)).toBe(2000);
    expect(device.timesAt(6000)).toEqual({ elapsedNs: 5000, idleNs: 0, runningNs: 0 });
  });

  it('stays exact however long it runs', () => {
    const device = clock();
    let nowNs = 3e15;
    let busy = 0;
    for (let i = 0; i < 100_000; i++) {
      const begun = device.begin(nowNs);
      nowNs += 1 + (i % 7);
      busy += device.end(begun, nowNs);
    }
    expect(busy).toBe(nowNs - 3e15);
  });

  it('has a price for a nanosecond, or none that is known', () => {
    expect((clock(7.2).pricePerNs as number) * HOUR_NS).toBeCloseTo(7.2, 12);
    expect(new DeviceClock('cpu', 0, { kind: 'none', perHour: 0 }, 0).pricePerNs).toBeUndefined();
  });
});
