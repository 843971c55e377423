import { describe, expect, it } from 'vitest';
import { didYouMean, nearestName } from './nearest-name.js';

describe('suggestions', () => {
  it.each([
    ['max_batchsize', 'max_batch_size'],
    ['maxBatchSize', 'max_batch_size'],
    ['inptu', 'input'],
    ['FP32', 'TYPE_FP32'],
  ])('%s means %s', (given, meant) => {
    expect(nearestName(given, ['name', 'input', 'max_batch_size', 'TYPE_FP32'])).toBe(meant);
  });

  it('says nothing where no name is near', () => {
    expect(didYouMean('zebra', ['name', 'input'])).toBe('');
  });
});
