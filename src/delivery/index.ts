export { FeedbackJoin, type FeedbackJoinOptions, type FeedbackTallies } from './feedback/feedback-join.js';
export type { Guard, GuardEvidence } from './guard.js';
export type { Calibration, GuardSpec, LatencyQuantile } from './guard-spec.js';
export { createGuards } from './guards/create-guards.js';
export { SampleRatioGuard } from './guards/sample-ratio-guard.js';
export { type HardLimitSpec, HardLimits } from './hard-limits.js';
export {
  type Direction,
  JUDGE_DEFAULTS,
  type JudgedMetric,
  type Judgement,
  judgeCanary,
  type MetricJudgement,
} from './judge/canary-judge.js';
export type { Observation } from './observation.js';
export { type ObservedUnit, type Power, ratePower } from './power/rate-power.js';
export { copiesFault } from './rollout/copies-fault.js';
export { RolloutEngine } from './rollout/engine.js';
export type { LogEntry, LoggedEntry } from './rollout/log-entry.js';
export type { RolloutPlan } from './rollout/plan.js';
export { type PlanFault, type PlanVersions, versionsOf } from './rollout/plan-versions.js';
export type {
  GatedVersion,
  GateOutcome,
  LabelBooks,
  ReleaseGate,
  RolloutNotice,
  RolloutNotices,
  RolloutPorts,
  VersionSource,
} from './rollout/ports.js';
export { type Replay, replay } from './rollout/replay.js';
export { signatureFault } from './rollout/signature-fault.js';
export type { ArmState } from './rollout/standing.js';
export { type TracePoint, traceOf } from './rollout/trace.js';
