import { elementCount, type Tensor } from '../core/index.js';
import { kindOf } from './elements.js';

/** How many elements of each output are looked at: an equal part of what those before it cannot use. Texts can use any number. */
export function sharesOf(outputs: readonly Tensor[], elements: number): number[] {
  let left = elements;
  return outputs.map((output, i) => {
    const part = Math.floor(left / (outputs.length - i));
    const share = kindOf(output) === 'text' ? part : Math.min(part, elementCount(output.shape));
    left -= share;
    return share;
  });
}
