import type { ThreadModelFacts, ThreadModelKind } from './thread-model.js';

/** The kinds of models that run inside a worker thread. */
export const THREAD_MODELS: Readonly<Record<ThreadModelKind, ThreadModelFacts>> = {
  script: {
    backend: 'script',
    platform: 'penstock_script',
    defaultModelFiles: ['model.js', 'model.mjs'],
    module: new URL('./script/script-model.js', import.meta.url),
  },
  'onnx-node': {
    backend: 'onnxruntime-node',
    platform: 'onnxruntime_onnx',
    defaultModelFiles: ['model.onnx'],
    module: new URL('./onnx-node/node-model.js', import.meta.url),
  },
};
