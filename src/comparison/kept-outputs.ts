import { DATA_TYPES, type Tensor } from '../core/index.js';
import type { Look } from './compare-outputs.js';
import { sharesOf } from './shares.js';

/**
 * Copies of outputs, as much of each as `compareOutputs` looks at: their `data` may be shorter than their shapes say. Together
 * about 8 bytes for each element of the look.
 */
export function keptOutputs(outputs: readonly Tensor[], { elements }: Look): Tensor[] {
  const shares = sharesOf(outputs, elements);
  return outputs.map((output, i) => {
    const { elementBytes } = DATA_TYPES[output.dataType];
    // A text counts as one for each 8 bytes, its length included.
    const bytes = (shares[i] as number) * (elementBytes === 0 ? 8 : elementBytes);
    return { ...output, data: new Uint8Array(output.data.subarray(0, bytes)) };
  });
}
