import { dirname } from 'node:path';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { type ModelSignature, type OpenRequest, type ProviderShares, ServingError } from '../../../core/index.js';
import { publicText } from '../onnx/status.js';
import type { OpenThreadModel, ThreadBatch, ThreadModel, ThreadTensor } from '../thread-model.js';
import { type NodeSessionOptions, nodeSessionOptions } from './node-options.js';
import {
  fromBinding,
  type OrtTensorConstructor,
  signatureTensor,
  toBinding,
  unsupportedTypeReason,
} from './node-tensor.js';

interface Binding {
  readonly InferenceSession: { create(path: string, options: object): Promise<InferenceSession> };
  readonly Tensor: OrtTensorConstructor;
  readonly env: { logLevel?: string };
}

/**
 * Opens an ONNX model by onnxruntime-node's own binding: a session of its own for each instance. Throws MODEL_INVALID
 * (the file, its options, a data type), UNSUPPORTED (the device, an option the binding does not offer).
 */
export const openThreadModel: OpenThreadModel = async (request, instance): Promise<ThreadModel> => {
  const options = nodeSessionOptions(request, instance);
  const binding = await loadBinding();
  const onCuda = options.executionProviders.length > 1;
  if (!onCuda) return new NodeModel(binding, request, await create(binding, request, options), CPU);
  try {
    const session = await create(binding, request, options);
    return new NodeModel(binding, request, session, { providers: request.provider.strict ? ALL_CUDA : SOME_CUDA });
  } catch (error) {
    if (request.provider.onGpuError !== 'cpu') {
      const why = error instanceof Error ? error.message : String(error);
      throw new ServingError('UNSUPPORTED', `the CUDA provider cannot run this model here: ${why}`, { cause: error });
    }
    const fallback = `runs on the CPU: ${(error as Error).message}`;
    const session = await create(binding, request, { ...options, executionProviders: ['cpu'] });
    return new NodeModel(binding, request, session, { ...CPU, fallback });
  }
};

interface Placement {
  readonly providers: ProviderShares;
  readonly fallback?: string;
}

const CPU: Placement = { providers: { CPUExecutionProvider: 1 } };
const ALL_CUDA: ProviderShares = { CUDAExecutionProvider: 1 };
/** The binding does not tell which nodes fell back to the CPU; only the strict mode is sure that none did. */
const SOME_CUDA: ProviderShares = { unknown: 1 };

class NodeModel implements ThreadModel {
  readonly signature: ModelSignature;
  readonly providers: ProviderShares;
  readonly fallback: string | undefined;
  readonly #binding: Binding;
  readonly #session: InferenceSession;
  readonly #folder: string;

  constructor(binding: Binding, request: OpenRequest, session: InferenceSession, placement: Placement) {
    this.#binding = binding;
    this.#session = session;
    this.#folder = dirname(request.modelPath);
    this.providers = placement.providers;
    this.fallback = placement.fallback;
    this.signature = {
      inputs: session.inputMetadata.map(signatureTensor),
      outputs: session.outputMetadata.map(signatureTensor),
    };
  }

  async infer({ inputs, outputs }: ThreadBatch): Promise<readonly ThreadTensor[]> {
    const feeds: Record<string, OrtTensor> = {};
    for (const input of inputs) feeds[input.name] = toBinding(this.#binding.Tensor, input);
    let results: InferenceSession.OnnxValueMapType;
    try {
      results = await this.#session.run(
        feeds,
        outputs.map((output) => output.name),
      );
    } catch (cause) {
      throw new ServingError('BACKEND_FAILED', `the model failed: ${publicMessage(cause, this.#folder)}`);
    }
    return outputs.map(({ name, dataType }) => {
      const value = results[name];
      const tensor = value === undefined ? undefined : fromBinding(name, value as OrtTensor);
      if (tensor?.dataType === dataType) return tensor;
      throw new ServingError('BACKEND_FAILED', `output '${name}': expected ${dataType}, got ${tensor?.dataType}`);
    });
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

async function loadBinding(): Promise<Binding> {
  try {
    const loaded = (await import('onnxruntime-node')) as unknown as { default?: Binding } & Binding;
    const binding = loaded.default ?? loaded;
    // Before the first session: failures come back as errors, so ONNX Runtime need not print them as well.
    binding.env.logLevel = 'fatal';
    keepHalfFloatsAsBits(binding.Tensor);
    return binding;
  } catch (cause) {
    throw new ServingError('UNSUPPORTED', 'onnxruntime-node does not load on this machine', { cause });
  }
}

/**
 * The native side cannot read a Float16Array, which Node 24 has and onnxruntime-common then prefers ("not enough space").
 * It decides once, at the first tensor: made while there is no such class, it stays with Uint16Array.
 */
function keepHalfFloatsAsBits(Tensor: OrtTensorConstructor): void {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, 'Float16Array');
  if (descriptor === undefined) return;
  Reflect.deleteProperty(globalThis, 'Float16Array');
  try {
    new Tensor('uint8', new Uint8Array(1), [1]);
  } finally {
    Object.defineProperty(globalThis, 'Float16Array', descriptor);
  }
}

async function create(binding: Binding, request: OpenRequest, options: NodeSessionOptions): Promise<InferenceSession> {
  try {
    return await binding.InferenceSession.create(request.modelPath, options);
  } catch (thrown) {
    const message = publicMessage(thrown, dirname(request.modelPath));
    const reason = unsupportedTypeReason(message) ?? message;
    throw new ServingError('MODEL_INVALID', reason, { cause: thrown });
  }
}

function publicMessage(thrown: unknown, folder: string): string {
  return publicText(thrown instanceof Error ? thrown.message : String(thrown), [folder]);
}
