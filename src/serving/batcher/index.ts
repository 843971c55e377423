export { Batcher, type BatcherOptions } from './batcher.js';
export type { MemberDone, MemberOutcome, QueueItem, RequestQueue } from './queue-item.js';
