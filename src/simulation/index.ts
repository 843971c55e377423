export { type Goodput, goodput, IN_TIME_SHARE, instancesFor, type Trial } from './goodput.js';
export { fluidBoundPerSecond, type Load, type Random } from './load.js';
export { type Mix, NO_MIX, type PartResult, Senders } from './mix.js';
export { LIVE_POLICIES, POLICIES, type PolicyName } from './policies/index.js';
export type { Policy } from './policies/policy.js';
export { type RunResult, run } from './run.js';
export { SimulatedExecutor } from './simulated-executor.js';
export { VirtualClock } from './virtual-clock.js';
