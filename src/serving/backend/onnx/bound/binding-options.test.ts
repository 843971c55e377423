import { describe, expect, it } from 'vitest';
import { modelSpec } from '../../../../../test/support/specs.js';
import { bindingOptions } from './binding-options.js';
import { sizeFor } from './bound-rows.js';
import { runProgram, STEP } from './run-program.js';

const policy = (sizes?: readonly number[], pinnedMemory = true) => ({
  ioBinding: true,
  pinnedMemory,
  cudaGraphBatchSizes: sizes,
});
const tensor = { name: 'x', dataType: 'FP32', dims: [4], modelDims: [4], optional: false, labels: undefined } as const;
const spec = (maxBatchSize: number) => ({
  ...modelSpec(),
  maxBatchSize,
  inputs: [tensor],
  outputs: [{ ...tensor, name: 'y' }],
});
const GPU = { device: 'cuda', deviceId: 1 } as const;
const CPU = { device: 'cpu', deviceId: 0 } as const;

describe('what a binding policy comes to', () => {
  it('on a GPU: copies by CUDA, locked pages, graphs', () => {
    expect(bindingOptions(policy([1, 4]), GPU, spec(4))).toEqual({
      device: { copies: 'cuda', deviceId: 1 },
      pinned: true,
      graphSizes: [1, 4],
    });
    expect(bindingOptions(policy(undefined, false), GPU, spec(4))).toMatchObject({
      pinned: false,
      graphSizes: undefined,
    });
  });

  it('on the CPU: no copies, nothing to lock, no padding', () => {
    expect(bindingOptions(policy([1, 4]), CPU, spec(4))).toEqual({
      device: { copies: 'none', deviceId: 0 },
      pinned: false,
      graphSizes: undefined,
    });
  });

  it('is refused for sizes and tensors that it cannot be', () => {
    expect(() => bindingOptions(policy([1, 8]), GPU, spec(4))).toThrow(
      'cuda_graph_batch_sizes: 8 is beyond max_batch_size 4',
    );
    expect(() => bindingOptions(policy([2]), GPU, spec(0))).toThrow('2 is beyond max_batch_size 1');
    const open = { ...spec(4), inputs: [{ ...tensor, modelDims: [-1] }] };
    expect(() => bindingOptions(policy(), GPU, open)).toThrow("'x' has no fixed shape");
    const optional = { ...spec(4), inputs: [{ ...tensor, optional: true }] };
    expect(() => bindingOptions(policy(), GPU, optional)).toThrow("'x' is optional");
  });
});

describe('the size that a batch runs at', () => {
  it.each([
    [1, 1],
    [2, 4],
    [4, 4],
    [5, 5],
  ])('of %i rows, with 1 and 4 allowed, is %i', (rows, size) => {
    expect(sizeFor(rows, [1, 4])).toBe(size);
  });
});

describe('the program of a run', () => {
  it('copies in, waits for it, runs, copies out', () => {
    const program = runProgram([1, 2, 3], [{ host: 10, device: 20, bytes: 5 }], [{ host: 30, device: 40, bytes: 6 }]);
    expect([...program]).toEqual([
      ...[4, STEP.copyIn, 20, 10, 5],
      ...[STEP.arrived, 0, 0, 0],
      ...[STEP.run, 1, 2, 3],
      ...[STEP.copyOut, 30, 40, 6],
    ]);
  });

  it('is the run alone where nothing is copied', () => {
    expect([...runProgram([1, 2, 3], [], [])]).toEqual([1, STEP.run, 1, 2, 3]);
  });
});
