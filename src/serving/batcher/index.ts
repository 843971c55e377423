export { Batcher, type BatcherOptions } from './batcher.js';
export type { MemberDone, MemberOutcome, QueueItem } from './queue-item.js';
