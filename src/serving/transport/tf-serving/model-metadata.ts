import type { ModelSpec, TensorSpec } from '../../../core/index.js';
import { SIGNATURE, TENSORFLOW_TYPES } from '../../codec/index.js';

const METHOD = 'tensorflow/serving/predict';

/** What `GetModelMetadata` tells of a version, in the field names of its messages; 64-bit integers as text. */
export function modelMetadata(spec: ModelSpec) {
  return {
    model_spec: { name: spec.id.model, signature_name: '', version: String(spec.id.version) },
    metadata: { signature_def: { signature_def: { [SIGNATURE]: signatureDef(spec) } } },
  };
}

/** `SignatureDef` of the one signature that a version has. */
export function signatureDef(spec: ModelSpec) {
  return {
    inputs: tensorInfos(spec.inputs, spec),
    outputs: tensorInfos(spec.outputs, spec),
    method_name: METHOD,
  };
}

function tensorInfos(tensors: readonly TensorSpec[], { maxBatchSize }: ModelSpec) {
  return Object.fromEntries(
    tensors.map(({ name, dataType, dims }) => {
      const shape = maxBatchSize > 0 ? [-1, ...dims] : dims;
      const dim = shape.map((size) => ({ size: String(size), name: '' }));
      return [name, { name, dtype: TENSORFLOW_TYPES[dataType].name, tensor_shape: { dim, unknown_rank: false } }];
    }),
  );
}
