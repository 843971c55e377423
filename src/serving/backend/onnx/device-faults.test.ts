import { describe, expect, it } from 'vitest';
import { deviceFaultOf } from './device-faults.js';
import { publicText } from './status.js';

const cuda = (failure: string) =>
  `Non-zero status code returned while running Conv node. Name:'/c/Conv' Status Message: CUDA failure ${failure} ; GPU=1 ; hostname=secret-host ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc ; line=129 ; expr=cudaStreamSynchronize(s); `;

describe('what a failure says of its device', () => {
  it.each([
    [cuda('700: an illegal memory access was encountered'), 'lost'],
    [cuda('719: unspecified launch failure'), 'lost'],
    [cuda('214: uncorrectable ECC error encountered'), 'lost'],
    [cuda('999: unknown error'), 'lost'],
    ['CUDA error cudaErrorIllegalAddress:an illegal memory access was encountered', 'lost'],
    ['Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.', 'lost'],
    [cuda('2: out of memory'), 'memory'],
    ['CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0', 'memory'],
    ['bfc_arena.cc:359 Failed to allocate memory for requested buffer of size 4096', 'memory'],
  ])('%s', (text, fault) => {
    expect(deviceFaultOf(text)).toBe(fault);
  });

  it.each([
    'Got invalid dimensions for input: x for the following indices',
    // The model's own cap is reached: the device is well.
    'Available memory of 1024 is smaller than requested bytes of 4096',
    cuda('1: invalid argument'),
    cuda('98: invalid device function'),
    cuda('7000: no such number'),
    'CUDNN failure 3000: CUDNN_STATUS_NOT_SUPPORTED',
  ])('nothing: %s', (text) => {
    expect(deviceFaultOf(text)).toBeUndefined();
  });

  it('comes to callers without the name of the machine', () => {
    const text = publicText(cuda('700: an illegal memory access was encountered'), []);
    expect(text).toContain('CUDA failure 700: an illegal memory access was encountered ; GPU=1');
    expect(text).not.toMatch(/secret-host|cuda_call|line=/);
  });
});
