export { type GpuCheckOptions, gpuCheck } from './gpu-check.js';
