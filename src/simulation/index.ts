export { type Goodput, goodput, IN_TIME_SHARE, instancesFor, type Trial } from './goodput.js';
export { fluidBoundPerSecond, type Load, linearCurve, measuredCurve, type Random } from './load.js';
export { POLICIES, type PolicyName } from './policies/index.js';
export { type RunResult, run } from './run.js';
export { SimulatedExecutor } from './simulated-executor.js';
export { VirtualClock } from './virtual-clock.js';
