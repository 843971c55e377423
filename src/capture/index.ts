export { readCaptureFile, type StoredRow } from './capture-file.js';
export { CaptureTap } from './capture-tap.js';
export { type CaptureThreadStart, connectTap, type ToCaptureThread } from './capture-thread.js';
export type { WriterNews } from './capture-writer.js';
export type { CapturedTensor } from './captured-row.js';
