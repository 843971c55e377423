import type { ApiGroup } from '../../../core/index.js';
import type { Call } from '../../codec/index.js';

/** What each call of the inference service is restricted with, as Triton's `grpc_server.cc` has it. */
const INFERENCE_SERVICE: Readonly<Record<string, ApiGroup>> = {
  ServerLive: 'health',
  ServerReady: 'health',
  ModelReady: 'health',
  ServerMetadata: 'metadata',
  ModelMetadata: 'metadata',
  ModelInfer: 'inference',
  ModelStreamInfer: 'inference',
  ModelConfig: 'model-config',
  ModelStatistics: 'statistics',
  RepositoryIndex: 'model-repository',
  RepositoryModelLoad: 'model-repository',
  RepositoryModelUnload: 'model-repository',
  SystemSharedMemoryStatus: 'shared-memory',
  SystemSharedMemoryRegister: 'shared-memory',
  SystemSharedMemoryUnregister: 'shared-memory',
  CudaSharedMemoryStatus: 'shared-memory',
  CudaSharedMemoryRegister: 'shared-memory',
  CudaSharedMemoryUnregister: 'shared-memory',
  TraceSetting: 'trace',
  LogSettings: 'logging',
};

/** Those of TensorFlow Serving's services, alike. */
const TENSORFLOW_SERVICES: Readonly<Record<string, ApiGroup>> = {
  Predict: 'inference',
  Classify: 'inference',
  Regress: 'inference',
  MultiInference: 'inference',
  SessionRun: 'inference',
  GetModelMetadata: 'metadata',
  GetModelStatus: 'health',
  HandleReloadConfigRequest: 'model-repository',
};

/** The group of a call of those services, and of text-embeddings-inference's. Throws (our mistake) for one that the table does not know. */
export function groupOf({ name, path }: Call): ApiGroup {
  if (path.startsWith('/tei.v1.')) return name === 'Info' ? 'metadata' : 'inference';
  const group = INFERENCE_SERVICE[name] ?? TENSORFLOW_SERVICES[name];
  if (group === undefined) throw new Error(`the call ${name} belongs to no group`);
  return group;
}
