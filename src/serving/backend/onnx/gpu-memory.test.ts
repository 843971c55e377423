import { describe, expect, it } from 'vitest';
import { GpuMemory } from './gpu-memory.js';

const limit = (bytes: number) => ({ gpu_mem_limit: String(bytes) });
const NONE = new Map<string, string>();

describe('the cap of GPU memory of a device', () => {
  it('is the sum of what its sessions may take, and of each device its own', () => {
    const memory = new GpuMemory(1000);
    memory.reserve(0, limit(600), NONE);
    expect(() => memory.reserve(0, limit(401), NONE)).toThrow(
      'cuda:0: gpu_mem_limit 401 does not fit, 400 of 1000 bytes are left',
    );
    memory.reserve(0, limit(400), NONE);
    memory.reserve(1, limit(1000), NONE);
  });

  it('is free again once a session is released, counted once', () => {
    const memory = new GpuMemory(1000);
    const release = memory.reserve(0, limit(1000), NONE);
    release();
    release();
    memory.reserve(0, limit(1000), NONE);
    expect(() => memory.reserve(0, limit(1), NONE)).toThrow('0 of 1000 bytes are left');
  });

  it('refuses a session that would not keep to it', () => {
    const memory = new GpuMemory(1000);
    expect(() => memory.reserve(2, {}, NONE)).toThrow(
      'cuda:2 has a memory cap of 1000 bytes (provider.gpuMemoryBytes): the model needs a gpu_mem_limit',
    );
    const outside = new Map([['session.use_device_allocator_for_initializers', '1']]);
    expect(() => memory.reserve(2, limit(1), outside)).toThrow('puts weights outside the memory cap of cuda:2');
  });

  it('asks for nothing where there is none', () => {
    new GpuMemory(Number.POSITIVE_INFINITY).reserve(0, {}, NONE)();
  });
});
