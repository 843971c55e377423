import type { Deadline } from '@grpc/grpc-js';
import { type Clock, NO_DEADLINE } from '../../../core/index.js';

/** `grpc-timeout` as grpc-js gives it (wall clock) in monotonic nanoseconds; `NO_DEADLINE` where the call has none. */
export function deadlineNsOf(deadline: Deadline, clock: Clock): number {
  const wallMs = typeof deadline === 'number' ? deadline : deadline.getTime();
  if (!Number.isFinite(wallMs)) return NO_DEADLINE;
  return clock.nowNs() + (wallMs - clock.wallMs()) * 1e6;
}
