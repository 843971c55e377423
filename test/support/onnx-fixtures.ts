import { fileURLToPath } from 'node:url';
import type {
  Batch,
  BatchOutcome,
  Clock,
  DataType,
  Lane,
  Log,
  ModelSignature,
  ModelSpec,
  OpenRequest,
  SignatureTensor,
  Tensor,
  TensorSpec,
} from '../../src/core/index.js';

/** Absolute path of a model of `test/fixtures/models`. */
export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../fixtures/models/${name}.onnx`, import.meta.url));
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** The real clock, for tests that run real models. */
export const realClock: Clock = {
  nowNs: () => performance.now() * 1e6,
  wallMs: () => Date.now(),
  setTimer(atNs, fire) {
    const timer = setTimeout(fire, Math.max(0, atNs / 1e6 - performance.now()));
    timer.unref();
    return { clear: () => clearTimeout(timer) };
  },
};

/** A request to open a fixture on the CPU with one instance, changed as `over` says. */
export function openRequest(name: string, over: Partial<OpenRequest> = {}): OpenRequest {
  return {
    id: { model: name, version: 1 },
    backend: 'onnxruntime',
    engine: 'native',
    modelPath: fixturePath(name),
    instances: [{ device: 'cpu', deviceId: 0, count: 1 }],
    provider: { onGpuError: 'fail', strict: false, options: {} },
    parameters: {},
    graphLevel: undefined,
    maxExecutionMs: 0,
    ...over,
  };
}

/** The spec that a model's own signature gives: the leading axis of every tensor is the batch axis where it batches. */
export function specOf(name: string, signature: ModelSignature, maxBatchSize: number): ModelSpec {
  const side = (tensors: readonly SignatureTensor[]): TensorSpec[] =>
    tensors.map((tensor) => {
      const all = tensor.dims ?? [];
      const dims = maxBatchSize > 0 ? all.slice(1) : all;
      return {
        name: tensor.name,
        dataType: tensor.dataType as DataType,
        dims,
        modelDims: dims,
        optional: tensor.optional,
        labels: undefined,
      };
    });
  return {
    id: { model: name, version: 1 },
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    maxBatchSize,
    inputs: side(signature.inputs),
    outputs: side(signature.outputs),
    batching: {
      dynamic: false,
      maxBatchSize,
      preferredBatchSizes: [],
      maxQueueDelayUs: 0,
      preserveOrdering: false,
      sloMs: 0,
      priorityLevels: 0,
      defaultPriorityLevel: 0,
      defaultQueuePolicy: {
        timeoutAction: 'REJECT',
        defaultTimeoutUs: 0,
        allowTimeoutOverride: false,
        maxQueueSize: 0,
      },
      priorityQueuePolicies: new Map(),
    },
    source: 'model',
  };
}

/** A batch of members, each the inputs of one request in the order of the spec. */
export function batchOf(members: readonly (readonly (Tensor | undefined)[])[], batched = true): Batch {
  const built = members.map((inputs) => ({
    inputs,
    rows: batched ? ((inputs.find((input) => input !== undefined) as Tensor).shape[0] as number) : 1,
  }));
  return {
    version: { model: 'fixture', version: 1 },
    members: built,
    rows: built.reduce((rows, member) => rows + member.rows, 0),
  };
}

/** Runs a batch; the outputs are copied before the lane takes them back. */
export function runBatch(lane: Lane, batch: Batch): Promise<BatchOutcome> {
  return new Promise((resolve) => {
    lane.run(batch, (outcome) => {
      if (outcome.kind === 'failed') resolve(outcome);
      else
        resolve({ ...outcome, outputs: outcome.outputs.map((tensor) => ({ ...tensor, data: tensor.data.slice() })) });
    });
  });
}

/** The outputs of a run that must succeed. */
export async function outputsOf(lane: Lane, batch: Batch): Promise<readonly Tensor[]> {
  const outcome = await runBatch(lane, batch);
  if (outcome.kind === 'failed') throw outcome.error;
  return outcome.outputs;
}

/** A tensor over the bytes of a typed array. */
export function tensorOf(name: string, dataType: DataType, shape: readonly number[], values: ArrayBufferView): Tensor {
  return { name, dataType, shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}
