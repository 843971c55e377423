import {
  type BatchPolicy,
  type DataType,
  type InferenceRequest,
  type ModelSpec,
  NO_DEADLINE,
  type Tensor,
  type TensorSpec,
} from '../../src/core/index.js';

/** A batch policy with Triton's defaults; `changes` on top. */
export function policy(changes: Partial<BatchPolicy> = {}): BatchPolicy {
  return {
    dynamic: true,
    maxBatchSize: 4,
    preferredBatchSizes: [],
    maxQueueDelayUs: 0,
    preserveOrdering: false,
    sloMs: 0,
    priorityLevels: 0,
    defaultPriorityLevel: 0,
    defaultQueuePolicy: { timeoutAction: 'REJECT', defaultTimeoutUs: 0, allowTimeoutOverride: false, maxQueueSize: 0 },
    priorityQueuePolicies: new Map(),
    ...changes,
  };
}

export function tensorSpec(
  name: string,
  dataType: DataType,
  dims: readonly number[],
  changes: Partial<TensorSpec> = {},
): TensorSpec {
  return { name, dataType, dims, modelDims: dims, optional: false, labels: undefined, ...changes };
}

export function modelSpec(changes: Partial<ModelSpec> = {}): ModelSpec {
  const maxBatchSize = changes.maxBatchSize ?? 4;
  return {
    id: { model: 'm', version: 1 },
    platform: 'test',
    backend: 'test',
    maxBatchSize,
    inputs: [tensorSpec('x', 'FP32', [2])],
    outputs: [tensorSpec('y', 'FP32', [2])],
    batching: policy({ maxBatchSize }),
    source: 'test',
    ...changes,
  };
}

export function fp32(name: string, shape: readonly number[], values?: readonly number[]): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from(values ?? Array.from({ length: count }, (_, i) => i));
  return { name, dataType: 'FP32', shape, data: new Uint8Array(data.buffer) };
}

export function request(changes: Partial<InferenceRequest> = {}): InferenceRequest {
  return {
    model: 'm',
    version: undefined,
    id: '',
    inputs: [fp32('x', [1, 2])],
    rawInput: undefined,
    outputs: [],
    parameters: {},
    priority: 0,
    timeoutUs: 0,
    deadlineNs: NO_DEADLINE,
    receivedNs: 0,
    decodedNs: 0,
    ...changes,
  };
}
