export { type OnnxNativeOptions, onnxNativeBackend } from './native-backend.js';
export { bundledLibraryPath } from './library.js';
export { CUDA_PROVIDER_FILES } from './cuda-provider.js';
export { runsInFlight } from './runs-in-flight.js';
