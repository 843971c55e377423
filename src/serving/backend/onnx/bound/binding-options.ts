import { type BindingPolicy, type InstanceGroup, type ModelSpec, ServingError } from '../../../../core/index.js';
import { fixedDims } from '../tensor-shape.js';
import type { BoundLaneOptions } from './bound-lane.js';

/**
 * What a model's policy comes to for a lane on a device. Throws `MODEL_INVALID` where its tensors cannot stay at fixed places,
 * or a size has no meaning. Without a GPU (the version fell back to the CPU) there are no graphs, so no padding.
 */
export function bindingOptions(
  policy: BindingPolicy,
  { device, deviceId }: Pick<InstanceGroup, 'device' | 'deviceId'>,
  spec: ModelSpec,
): Pick<BoundLaneOptions, 'device' | 'pinned' | 'graphSizes'> {
  const why = whyUnbound(spec);
  if (why !== undefined) throw new ServingError('MODEL_INVALID', `io_binding needs tensors of fixed size: ${why}`);
  const most = Math.max(1, spec.maxBatchSize);
  const tooLarge = policy.cudaGraphBatchSizes?.find((size) => size > most);
  if (tooLarge !== undefined) {
    throw new ServingError('MODEL_INVALID', `cuda_graph_batch_sizes: ${tooLarge} is beyond max_batch_size ${most}`);
  }
  const onGpu = device === 'cuda';
  return {
    device: { copies: onGpu ? 'cuda' : 'none', deviceId },
    pinned: onGpu && policy.pinnedMemory,
    graphSizes: onGpu ? policy.cudaGraphBatchSizes : undefined,
  };
}

/** Why a model's tensors cannot stay at fixed places, or undefined where they can. */
function whyUnbound(spec: ModelSpec): string | undefined {
  for (const tensors of [spec.inputs, spec.outputs]) {
    for (const { name, dataType, modelDims, optional } of tensors) {
      if (dataType === 'BYTES') return `'${name}' holds strings`;
      if (!fixedDims(modelDims)) return `'${name}' has no fixed shape`;
      if (optional) return `'${name}' is optional`;
    }
  }
  return undefined;
}
