export type { Guard, GuardEvidence } from './guard.js';
export type { Calibration, GuardSpec, LatencyQuantile } from './guard-spec.js';
export type { Observation } from './observation.js';
export { type ObservedUnit, type Power, ratePower } from './power/rate-power.js';
