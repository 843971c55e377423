import { describe, expect, it } from 'vitest';
import { type CudaRuntime, cudaRuntime, initDevice } from './cuda-runtime.js';

function fakeRuntime(results: number[]) {
  const calls: number[][] = [];
  const async = (...values: unknown[]) => {
    calls.push(values.slice(0, -1) as number[]);
    (values.at(-1) as (error: unknown, result: number) => void)(null, results.shift() ?? 0);
  };
  const runtime: CudaRuntime = {
    cudaInitDevice: Object.assign(() => 0, { async }),
    cudaSetDevice: () => 0,
    cudaMemcpy: () => 0,
    cudaStreamSynchronize: () => 0,
    cudaHostRegister: () => 0,
    cudaHostUnregister: () => 0,
    cudaGetErrorString: (error) => `text of ${error}`,
  };
  return { runtime, calls };
}

describe('how threads wait for a GPU', () => {
  it.each([
    ['auto', 0],
    ['spin', 1],
    ['yield', 2],
    ['block', 4],
  ] as const)('%s is told when the context of a device is made', async (wait, flag) => {
    const { runtime, calls } = fakeRuntime([]);
    expect(await initDevice(100 + flag, wait, runtime)).toBeUndefined();
    expect(calls).toEqual([[100 + flag, flag, 1]]);
  });

  it('is told once a device, and again where CUDA refused', async () => {
    const { runtime, calls } = fakeRuntime([35]);
    expect(await initDevice(200, 'block', runtime)).toBe('CUDA error 35: text of 35');
    expect(await initDevice(200, 'block', runtime)).toBeUndefined();
    expect(await initDevice(200, 'block', runtime)).toBeUndefined();
    expect(calls).toHaveLength(2);
  });

  it('is left to CUDA where its runtime library is not found', async () => {
    if (cudaRuntime() === undefined) expect(await initDevice(300, 'block')).toBeUndefined();
  });
});
