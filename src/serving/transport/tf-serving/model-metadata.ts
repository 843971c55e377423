import type { DeclaredSignature, ModelSpec, TensorSpec } from '../../../core/index.js';
import { SIGNATURE, TENSORFLOW_TYPES } from '../../codec/index.js';
import { METHOD_NAMES } from './signed-model.js';

/** What `GetModelMetadata` tells of a version, in the field names of its messages; 64-bit integers as text. */
export function modelMetadata(spec: ModelSpec) {
  return {
    model_spec: { name: spec.id.model, signature_name: '', version: String(spec.id.version) },
    metadata: { signature_def: signatureDefMap(spec) },
  };
}

/** `SignatureDefMap` of a version: the signatures that it declares, and `serving_default`. */
export function signatureDefMap(spec: ModelSpec) {
  const { signatures = [] } = spec;
  const declared = signatures.map((signature) => [signature.name, signatureDef(spec, signature)] as const);
  return { signature_def: { [SIGNATURE]: signatureDef(spec, undefined), ...Object.fromEntries(declared) } };
}

function signatureDef(spec: ModelSpec, declared: DeclaredSignature | undefined) {
  return {
    inputs: tensorInfos(spec.inputs, spec, declared?.inputs),
    outputs: tensorInfos(spec.outputs, spec, declared?.outputs),
    method_name: METHOD_NAMES[declared?.method ?? 'predict'],
  };
}

/** Tensors by their names in the signature, or by their own; what is theirs is in `name`. */
function tensorInfos(
  tensors: readonly TensorSpec[],
  { maxBatchSize }: ModelSpec,
  names: Readonly<Record<string, string>> = Object.fromEntries(tensors.map(({ name }) => [name, name])),
) {
  return Object.fromEntries(
    Object.entries(names).flatMap(([alias, own]) => {
      const tensor = tensors.find(({ name }) => name === own);
      if (tensor === undefined) return [];
      const shape = maxBatchSize > 0 ? [-1, ...tensor.dims] : tensor.dims;
      const dim = shape.map((size) => ({ size: String(size), name: '' }));
      const dtype = TENSORFLOW_TYPES[tensor.dataType].name;
      return [[alias, { name: own, dtype, tensor_shape: { dim, unknown_rank: false } }]];
    }),
  );
}
