import type { Clock } from '../core/index.js';
import { Arena } from '../serving/arena/index.js';
import { copyBytes, pageReturner, sharedPages } from '../serving/backend/index.js';

/** The pooled memory of the thread that calls: `bytes` reserved, taken from the system as they are used. */
export function createArena(bytes: number, clock: Clock): Arena {
  const giveBackPages = pageReturner();
  return new Arena({
    memory: sharedPages(bytes),
    clock,
    copy: copyBytes,
    ...(giveBackPages === undefined ? {} : { giveBackPages }),
  });
}
