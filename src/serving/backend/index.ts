export { bundledLibraryPath, CUDA_PROVIDER_FILES, type OnnxNativeOptions, onnxNativeBackend } from './onnx/index.js';
