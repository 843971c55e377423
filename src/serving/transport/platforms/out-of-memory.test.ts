import { describe, expect, it } from 'vitest';
import { ServingError } from '../../../core/index.js';
import { memoryFailure } from './out-of-memory.js';

describe('a failure for want of memory', () => {
  it.each([
    'Non-zero status code returned while running ConstantOfShape node: Failed to allocate memory for requested buffer of size 400',
    'CUDA failure 2: out of memory',
    'std::bad_alloc',
    'mmap: ENOMEM',
    'CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED',
  ])('is told from its words: %s', (said) => {
    const failure = memoryFailure(new ServingError('BACKEND_FAILED', `the model failed: ${said}`));
    expect([failure.reason, failure.message]).toEqual(['OUT_OF_MEMORY', `the model failed: ${said}`]);
    const cause = new Error(said);
    expect(memoryFailure(new ServingError('MODEL_INVALID', 'failed to load', { cause })).reason).toBe('OUT_OF_MEMORY');
    expect(memoryFailure(cause).reason).toBe('OUT_OF_MEMORY');
  });

  it('is none where the caller is refused, or something else failed', () => {
    const named = new ServingError('MODEL_NOT_FOUND', "model 'out of memory' is not loaded");
    const other = new ServingError('BACKEND_FAILED', 'no such index');
    expect([memoryFailure(named), memoryFailure(other)]).toEqual([named, other]);
  });
});
