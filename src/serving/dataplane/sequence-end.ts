import { NO_DEADLINE, type SequenceId } from '../../core/index.js';
import type { QueueItem, RequestQueue } from '../batcher/index.js';

/**
 * Tells a queue that nobody goes on with a sequence: a request of no rows, which is not run. What comes of it interests nobody;
 * a queue that takes nothing any more has no sequences.
 */
export function endSequence(queue: RequestQueue, id: SequenceId): void {
  const item: QueueItem = {
    member: { inputs: [], rows: 0 },
    key: '',
    priority: 0,
    timeoutUs: 0,
    deadlineNs: NO_DEADLINE,
    enqueuedNs: 0,
    sequence: { id, start: false, end: true },
    settle: () => {},
  };
  try {
    queue.enqueue(item);
  } catch {
    // It is refused: the version is being unloaded, or this thread has no room; then the sequence ends by being idle.
  }
}
