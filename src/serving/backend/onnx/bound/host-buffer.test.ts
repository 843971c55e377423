import { describe, expect, it } from 'vitest';
import type { CudaRuntime } from '../cuda-runtime.js';
import { HostBuffer } from './host-buffer.js';

function fakeRuntime(error: number) {
  const locked: number[][] = [];
  const async = (...values: unknown[]) => {
    locked.push(values.slice(0, -1) as number[]);
    (values.at(-1) as (error: unknown, result: number) => void)(null, error);
  };
  const unlocked: number[] = [];
  const runtime = {
    cudaHostRegister: Object.assign(() => 0, { async }),
    cudaHostUnregister: (address: number) => unlocked.push(address),
    cudaGetErrorString: (code: number) => `text of ${code}`,
  } as unknown as CudaRuntime;
  return { runtime, locked, unlocked };
}

describe('a buffer that can be locked', () => {
  it.each([0, 1, 4096, 5000])('of %i bytes begins and ends on pages of its own', async (bytes) => {
    const buffer = new HostBuffer(bytes);
    const { runtime, locked } = fakeRuntime(0);
    expect(buffer.bytes.byteLength).toBe(bytes);
    expect(buffer.address % 4096).toBe(0);
    expect(await buffer.lock(runtime)).toBeUndefined();
    const [address, length, flags] = locked[0] as number[];
    expect([address, (length as number) % 4096, flags]).toEqual([buffer.address, 0, 1]);
    expect(length).toBeGreaterThanOrEqual(Math.max(1, bytes));
    expect(length).toBeLessThan(bytes + 4097);
    const memory = buffer.bytes.buffer.byteLength - buffer.bytes.byteOffset;
    expect(memory).toBeGreaterThanOrEqual(length as number);
  });

  it('is unlocked once, and only where it was locked', async () => {
    const { runtime, unlocked } = fakeRuntime(0);
    const buffer = new HostBuffer(10);
    buffer.unlock();
    await buffer.lock(runtime);
    buffer.unlock();
    buffer.unlock();
    expect(unlocked).toEqual([buffer.address]);
  });

  it('says what CUDA says where it refuses, and serves unlocked', async () => {
    const { runtime, unlocked } = fakeRuntime(2);
    const buffer = new HostBuffer(10);
    expect(await buffer.lock(runtime)).toBe('CUDA error 2: text of 2');
    buffer.unlock();
    expect(unlocked).toEqual([]);
  });
});
