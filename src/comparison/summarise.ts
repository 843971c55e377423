import { elementCount, type OutputSummary, type Tensor, typedView } from '../core/index.js';
import { isNumeric, kindOf, numbersOf, rowsOf, topIndex } from './elements.js';

/**
 * What is kept of an answer; undefined where no output is of numbers, or the first such one has no element. Looks at the
 * first `most` elements of each output. Of a first row of nothing but NaN the top index is -1, its value 0.
 */
export function summarise(outputs: readonly Tensor[], batched: boolean, most: number): OutputSummary | undefined {
  const first = outputs.find(isNumeric);
  if (first === undefined) return undefined;
  const rows = rowsOf(first, batched);
  const length = Math.min(rows.count === 0 ? 0 : rows.length, most);
  if (length === 0) return undefined;
  const values = numbersOf(first, 0, length);
  const top = topIndex(values, 0, length);
  return {
    topIndex: top,
    topValue: top === -1 ? 0 : (values[top] as number),
    finite: outputs.every((output) => allFinite(output, most)),
  };
}

/** Whether no element is NaN or infinite. */
function allFinite(tensor: Tensor, most: number): boolean {
  if (kindOf(tensor) !== 'float') return true;
  const { dataType, data } = tensor;
  const count = Math.min(elementCount(tensor.shape), most);
  if (dataType === 'FP16' || dataType === 'BF16') {
    const exponent = dataType === 'FP16' ? 0x7c00 : 0x7f80;
    const bits = typedView(dataType, data.subarray(0, count * 2)) as Uint16Array;
    for (let i = 0; i < count; i++) if (((bits[i] as number) & exponent) === exponent) return false;
    return true;
  }
  const values = numbersOf(tensor, 0, count);
  // What is not finite gives NaN, and NaN stays.
  let sum = 0;
  for (let i = 0; i < count; i++) sum += (values[i] as number) * 0;
  return sum === 0;
}
