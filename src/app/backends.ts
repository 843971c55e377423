import type { ServerConfig } from '../config/index.js';
import type { Backend, Clock, Log } from '../core/index.js';
import { type CacheOptions, onnxNativeBackend, timedBackend } from '../serving/backend/index.js';
import { threadBackend } from '../serving/executor/index.js';

/**
 * The backends of this machine. Where ONNX Runtime's library cannot be called through koffi, ONNX models run by
 * onnxruntime-node's binding in worker threads instead, and the log says so.
 */
export function availableBackends(parts: {
  readonly log: Log;
  readonly clock: Clock;
  readonly cache: CacheOptions | undefined;
  readonly globalThreads: number;
  readonly gpu: Pick<ServerConfig['provider'], 'gpuWait' | 'gpuMemoryBytes'>;
}): Backend[] {
  const backends: Backend[] = [threadBackend('onnx-node', parts), threadBackend('script', parts), timedBackend(parts)];
  try {
    const { gpuWait, gpuMemoryBytes } = parts.gpu;
    backends.unshift(onnxNativeBackend({ ...parts, gpuWait, gpuMemoryBytes }));
  } catch (thrown) {
    parts.log.warn('the native ONNX engine cannot load here; models run by the binding in worker threads', {
      cause: thrown,
    });
  }
  return backends;
}
