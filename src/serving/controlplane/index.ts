export { AdminPlane, type AdminPlaneOptions, type AuditRow } from './admin-plane.js';
export { GROUPS, type GroupedCall } from './api-groups.js';
export {
  Authority,
  type AuthorityOptions,
  type Caller,
  type ControlCall,
  RIGHTS,
  type Right,
} from './authority.js';
export { ControlPlane, type ControlPlaneOptions } from './control-plane.js';
export { type FeedbackReport, MOST_FEEDBACK_CHARACTERS } from './feedback-items.js';
export type { RepositoryParameters } from './load-parameters.js';
export type { LogSettingsObject, SettingValues } from './log-settings.js';
export type {
  Duration,
  IndexRow,
  ModelLatency,
  ModelMetadata,
  ModelScheduler,
  ModelStatistics,
  ModelStatus,
  ServerMetadata,
  SloReport,
  TensorMetadata,
} from './protocol-objects.js';
export type { TraceSettingsObject } from './trace-settings.js';
