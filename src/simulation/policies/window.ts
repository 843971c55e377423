import type { PolicyMaker } from './policy.js';
import { fluidRows, rowsInTime } from './sizes.js';

const DELAYS = [0.05, 0.1, 0.25, 0.4];

/**
 * A fixed window, as with `max_queue_delay_microseconds` and `preferred_batch_size`: start once so many wait or the oldest
 * waited so long. All of a grid are tried and the best counts, which flatters it.
 */
export const window: PolicyMaker = (load) => {
  const sizes = [...new Set([fluidRows(load), rowsInTime(load)])];
  return DELAYS.flatMap((share) =>
    sizes.map((size) => () => ({
      planned: false,
      batching: { maxQueueDelayUs: share * load.sloMs * 1000, maxBatchSize: size },
    })),
  );
};
