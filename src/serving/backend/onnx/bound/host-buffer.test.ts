import { describe, expect, it } from 'vitest';
import { HostBuffer } from './host-buffer.js';
import { STEP } from './run-program.js';

describe('a buffer that can be locked', () => {
  it.each([0, 1, 4096, 5000])('of %i bytes begins and ends on pages of its own', (bytes) => {
    const buffer = new HostBuffer(bytes);
    expect(buffer.bytes.byteLength).toBe(bytes);
    const [step, address, length = 0] = buffer.lockStep;
    expect([step, address, length % 4096]).toEqual([STEP.lock, buffer.address, 0]);
    expect(buffer.address % 4096).toBe(0);
    expect(length).toBeGreaterThanOrEqual(Math.max(1, bytes));
    expect(length).toBeLessThan(bytes + 4097);
    expect(buffer.bytes.buffer.byteLength - buffer.bytes.byteOffset).toBeGreaterThanOrEqual(length);
    expect(buffer.unlockStep).toEqual([STEP.unlock, buffer.address]);
  });
});
