import type { ApiGroup } from '../../core/index.js';
import type { ControlPlane } from './control-plane.js';

/** What each call of the control plane is restricted with (`--http-restricted-api`, `--grpc-restricted-protocol`). */
export const GROUPS = {
  live: 'health',
  ready: 'health',
  modelReady: 'health',
  serverMetadata: 'metadata',
  modelMetadata: 'metadata',
  modelStatus: 'metadata',
  modelScheduler: 'metadata',
  modelConfig: 'model-config',
  modelStatistics: 'statistics',
  modelLatency: 'statistics',
  sloStatus: 'statistics',
  repositoryIndex: 'model-repository',
  repositoryLoad: 'model-repository',
  repositoryUnload: 'model-repository',
  adoptModel: 'model-repository',
  adoptedModels: 'model-repository',
  setVersionLabels: 'model-repository',
  logSettings: 'logging',
  setLogSettings: 'logging',
  traceSettings: 'trace',
  setTraceSettings: 'trace',
  sharedMemoryStatus: 'shared-memory',
  sharedMemoryRegister: 'shared-memory',
  sharedMemoryUnregister: 'shared-memory',
  cudaMemoryStatus: 'shared-memory',
  cudaMemoryRegister: 'shared-memory',
  cudaMemoryUnregister: 'shared-memory',
  feedback: 'inference',
} as const satisfies Record<keyof ControlPlane, ApiGroup>;

export type GroupedCall = keyof typeof GROUPS;
