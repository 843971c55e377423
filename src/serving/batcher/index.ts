export { rowsThatPay } from './batch-size.js';
export { Batcher, type BatcherOptions } from './batcher.js';
export { firstRow, sweepCosts, sweepSizes } from './cost-sweep.js';
export { worthATry } from './deadline-rules.js';
export { decide } from './decide.js';
export { DueHeap } from './due-heap.js';
export { ExecutionShapes } from './execution-shape.js';
export { costsText, recallCosts } from './kept-costs.js';
export { LearnedCost } from './learned-cost.js';
export { prefixInTime } from './look-ahead.js';
export type {
  MemberDone,
  MemberFailed,
  MemberOutcome,
  QueueItem,
  RequestQueue,
  VersionQueue,
} from './queue-item.js';
export type { Decide, Plan, SchedulingView } from './scheduling-view.js';
export { StandIn } from './stand-in.js';
export { waitLimits } from './wait-limits.js';
export { WakeUp } from './wake-up.js';
