export { FeedbackJoin, type FeedbackJoinOptions, type FeedbackTallies } from './feedback/feedback-join.js';
export type { Guard, GuardEvidence } from './guard.js';
export type { Calibration, GuardSpec, LatencyQuantile } from './guard-spec.js';
export { createGuards } from './guards/create-guards.js';
export { SampleRatioGuard } from './guards/sample-ratio-guard.js';
export { type HardLimitSpec, HardLimits } from './hard-limits.js';
export type { Observation } from './observation.js';
export { type ObservedUnit, type Power, ratePower } from './power/rate-power.js';
