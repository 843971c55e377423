export type { ThreadFigures, VersionInfo } from './catalogue.js';
export { createLog, type LineLevel, type LogLevel, type LogOptions, type ServerLog } from './log.js';
export { createMetrics, type Metrics, type MetricsOptions, refusedInto } from './metrics.js';
export { contextsOnly } from './traces/request-watcher.js';
export { RequestFigures } from './version-figures.js';
