import type {
  Backend,
  Batch,
  BatchOutcome,
  BatchPolicy,
  BindingPolicy,
  DataType,
  DeviceKind,
  Lane,
  ModelSignature,
  ModelSpec,
  ProviderShares,
  SignatureTensor,
  Tensor,
  TensorSpec,
} from '../../core/index.js';

/** The most rows of one execution here. */
export const MAX_ROWS = 64;

/** One model on one device, as `serve` would run it: one instance, its lanes filled in turn. */
export interface ModelRunner {
  readonly providers: ProviderShares;
  /** Shape of one row of its only input. */
  readonly rowShape: readonly number[];
  readonly lanes: number;
  /** One execution of `rows` rows on a free lane; the outputs are the caller's. Throws what the execution failed with. */
  run(input: Tensor, lane: number): Promise<readonly Tensor[]>;
  /** The same without copying outputs out, for timing. */
  time(input: Tensor, lane: number): Promise<void>;
  close(): Promise<void>;
}

export interface RunnerRequest {
  readonly name: string;
  /** Absolute path. */
  readonly modelPath: string;
  readonly device: DeviceKind;
  readonly deviceId: number;
  /** Options of the CUDA provider. */
  readonly providerOptions: Readonly<Record<string, string>>;
  readonly intraOpThreads: number;
  /** How lanes keep their tensors; absent = the default. */
  readonly binding?: BindingPolicy;
}

/** Opens a model of one FP32 input; a GPU that cannot run every node of it is an error, never a fallback. */
export async function openRunner(backend: Backend, request: RunnerRequest): Promise<ModelRunner> {
  const id = { model: request.name, version: 1 };
  const opened = await backend.open({
    id,
    backend: backend.name,
    engine: 'native',
    modelPath: request.modelPath,
    instances: [{ device: request.device, deviceId: request.device === 'cpu' ? 0 : request.deviceId, count: 1 }],
    provider: {
      onGpuError: 'fail',
      strict: true,
      options: request.device === 'cpu' ? {} : request.providerOptions,
      ...(request.binding === undefined ? {} : { binding: request.binding }),
    },
    parameters: { intra_op_thread_count: String(request.intraOpThreads) },
    graphLevel: undefined,
    maxExecutionMs: 0,
  });
  const lanes: Lane[] = [];
  const close = async () => {
    await Promise.all(lanes.map((lane) => lane.close()));
    await opened.close();
  };
  try {
    const spec = specOf(request.name, backend, opened.signature);
    for (let i = 0; i < opened.lanesPerInstance; i++) lanes.push(await opened.createLane(spec, 0));
    const batch = (input: Tensor): Batch => {
      const rows = input.shape[0] as number;
      return { version: id, rows, members: [{ rows, inputs: [input] }] };
    };
    return {
      providers: opened.providers,
      rowShape: spec.inputs[0]!.dims,
      lanes: lanes.length,
      run: (input, lane) => settle(lanes[lane]!, batch(input), copyOutputs),
      time: (input, lane) => settle(lanes[lane]!, batch(input), () => undefined),
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** Outputs are the lane's until the callback returns: `take` reads what is wanted of them in it. */
function settle<T>(lane: Lane, batch: Batch, take: (outputs: readonly Tensor[]) => T): Promise<T> {
  return new Promise((resolve, reject) => {
    lane.run(batch, (outcome: BatchOutcome) => {
      if (outcome.kind === 'failed') reject(outcome.error);
      else resolve(take(outcome.outputs));
    });
  });
}

const copyOutputs = (outputs: readonly Tensor[]): Tensor[] =>
  outputs.map((output) => ({ ...output, shape: [...output.shape], data: new Uint8Array(output.data) }));

function specOf(model: string, backend: Backend, signature: ModelSignature): ModelSpec {
  const side = (tensors: readonly SignatureTensor[]): TensorSpec[] =>
    tensors.map(({ name, dataType, dims = [] }) => ({
      name,
      dataType: dataType as DataType,
      dims: dims.slice(1),
      modelDims: dims.slice(1),
      optional: false,
      labels: undefined,
    }));
  return {
    id: { model, version: 1 },
    platform: backend.platform,
    backend: backend.name,
    maxBatchSize: MAX_ROWS,
    inputs: side(signature.inputs),
    outputs: side(signature.outputs),
    batching: BATCHING,
    source: 'model',
  };
}

/** Nothing is queued here. */
const BATCHING: BatchPolicy = {
  dynamic: false,
  maxBatchSize: MAX_ROWS,
  preferredBatchSizes: [],
  maxQueueDelayUs: 0,
  preserveOrdering: false,
  sloMs: 0,
  priorityLevels: 0,
  defaultPriorityLevel: 0,
  defaultQueuePolicy: { timeoutAction: 'REJECT', defaultTimeoutUs: 0, allowTimeoutOverride: false, maxQueueSize: 0 },
  priorityQueuePolicies: new Map(),
};
