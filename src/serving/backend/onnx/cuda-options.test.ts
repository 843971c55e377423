import { describe, expect, it } from 'vitest';
import { CUDA_OPTIONS, readCudaOptions } from './cuda-options.js';

describe('options of the CUDA provider', () => {
  it('are given as the provider reads them', () => {
    expect(
      readCudaOptions({
        gpu_mem_limit: '18446744073709551615',
        arena_extend_strategy: 'kSameAsRequested',
        cudnn_conv_algo_search: '1',
        use_tf32: 'False',
        prefer_nhwc: 'on',
        sdpa_kernel: '3',
      }),
    ).toEqual({
      gpu_mem_limit: '18446744073709551615',
      arena_extend_strategy: 'kSameAsRequested',
      cudnn_conv_algo_search: 'HEURISTIC',
      use_tf32: '0',
      prefer_nhwc: '1',
      sdpa_kernel: '3',
    });
  });

  it.each([
    ['gpu_mem_limit', '0'],
    ['gpu_mem_limit', '-1'],
    ['gpu_mem_limit', '2GB'],
    ['gpu_mem_limit', '18446744073709551616'],
    ['arena_extend_strategy', 'knextpoweroftwo'],
    ['cudnn_conv_algo_search', '3'],
    ['use_tf32', 'yes'],
    ['use_tf32', ''],
    ['sdpa_kernel', '1.5'],
  ])('refuse %s = %j with what it may be', (name, value) => {
    expect(() => readCudaOptions({ [name]: value })).toThrow(
      new RegExp(`^CUDA provider option '${name}': expected .+, got '${value}'$`),
    );
  });

  it.each([
    ['gpu_mem_limt', "unknown CUDA provider option 'gpu_mem_limt', did you mean 'gpu_mem_limit'?"],
    ['cuda_mem_limit', "unknown CUDA provider option 'cuda_mem_limit', did you mean 'gpu_mem_limit'?"],
    ['nothing_like_it_at_all', "unknown CUDA provider option 'nothing_like_it_at_all'"],
    ['toString', "unknown CUDA provider option 'toString'"],
    ['device_id', "CUDA provider option 'device_id' is not supported: the instance group names the device"],
    [
      'user_compute_stream',
      "CUDA provider option 'user_compute_stream' is not supported: it is an address in a process, which no configuration can know",
    ],
  ])('refuse %s by name', (name, message) => {
    expect(() => readCudaOptions({ [name]: '1' })).toThrow(message);
  });

  it('accept, for every row of the table, some value', () => {
    for (const [name, values] of Object.entries(CUDA_OPTIONS)) {
      const value = typeof values === 'string' ? '1' : (values[0] as string);
      expect(readCudaOptions({ [name]: value })).toEqual({ [name]: value });
    }
  });
});
