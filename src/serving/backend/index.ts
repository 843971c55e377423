export { BatchInput } from './batch-input.js';
export { GpuReadings, type GpuReadingsOptions } from './gpu-readings/index.js';
export {
  bytesCopied,
  type CacheOptions,
  type CudaPresence,
  copyBytes,
  cudaPresence,
  loadOrtLibrary,
  type OnnxNativeOptions,
  onnxNativeBackend,
  pageReturner,
  sharedPages,
} from './onnx/index.js';
export { carryShape, checkOutputShape } from './onnx/tensor-shape.js';
export { OutputBuffers, type OutputMemory } from './output-buffers.js';
export type {
  OpenThreadModel,
  PartOutlet,
  ThreadModel,
  ThreadModelKind,
  ThreadOutputSpec,
  ThreadTensor,
} from './thread-model.js';
export { THREAD_MODELS } from './thread-models.js';
export { timedBackend } from './timed/timed-backend.js';
