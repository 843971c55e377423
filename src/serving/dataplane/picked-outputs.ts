import type { ModelSpec, Tensor, TensorSpec } from '../../core/index.js';
import type { PickedOutput } from './admission.js';
import { classify } from './classification.js';

/** The outputs that a request asked for, of all that the model gave; none where it gave none. Throws UNSUPPORTED as `classify`. */
export function pickOutputs(
  all: readonly Tensor[],
  picked: readonly PickedOutput[] | undefined,
  spec: ModelSpec,
): readonly Tensor[] {
  if (picked === undefined || all.length === 0) return all;
  return picked.map(({ index, classification }) => {
    const output = all[index] as Tensor;
    if (classification === 0) return output;
    return classify(output, spec.outputs[index] as TensorSpec, classification, spec.maxBatchSize > 0);
  });
}
