export { Batcher, type BatcherOptions } from './batcher.js';
export { sweepCosts } from './cost-sweep.js';
export { worthATry } from './deadline-rules.js';
export { decide } from './decide.js';
export { costsText, recallCosts } from './kept-costs.js';
export { LearnedCost } from './learned-cost.js';
export { prefixInTime } from './look-ahead.js';
export type { MemberDone, MemberOutcome, QueueItem, RequestQueue } from './queue-item.js';
export type { Decide, Plan, SchedulingView } from './scheduling-view.js';
