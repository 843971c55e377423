export { Batcher, type BatcherOptions } from './batcher.js';
export { type Candidate, type Decision, decide, type SchedulingView } from './decide.js';
export type { MemberDone, MemberOutcome, QueueItem } from './queue-item.js';
