export type { ThreadFigures, VersionInfo } from './catalogue.js';
export { LatencySketch } from './latency/latency-sketch.js';
export { SlowRequestLog } from './latency/slow-requests.js';
export { SlowThresholds } from './latency/slow-thresholds.js';
export { createLog, type LineLevel, type LogLevel, type LogOptions, type ServerLog } from './log.js';
export { createMetrics, type Metrics, type MetricsOptions, refusedInto } from './metrics.js';
export { RequestFigures } from './request-figures.js';
export { contextsOnly } from './traces/request-watcher.js';
