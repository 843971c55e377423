export { GpuReadings, type GpuReadingsOptions } from './gpu-readings.js';
