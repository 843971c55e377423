export { readCaptureFile } from './capture-file.js';
export { CaptureTap } from './capture-tap.js';
export {
  type CaptureThreadStart,
  connectTap,
  type FromCaptureThread,
  type ToCaptureThread,
} from './capture-thread.js';
export type { CapturedTensor, StoredRow } from './captured-row.js';
export type { SinkSettings } from './sinks/create-sink.js';
export { readSinkFigures, SINK_FIGURES_BYTES } from './sinks/sink-figures.js';
export { type TapRulesData, tapRules } from './tap-rules.js';
