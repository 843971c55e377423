export { bytesCopied, copyBytes } from './byte-copy.js';
export { type CudaPresence, cudaPresence } from './cuda-presence.js';
export { bundledLibraryPath, loadOrtLibrary } from './library.js';
export { type CacheOptions, type OnnxNativeOptions, onnxNativeBackend } from './native-backend.js';
export { runsInFlight } from './runs-in-flight.js';
export { pageReturner, sharedPages } from './shared-pages.js';
