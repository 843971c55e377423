import type { Clock, ClockTimer } from '../core/index.js';

/** The real clock: monotonic nanoseconds since the process began, timers that do not keep the process alive. */
export const SYSTEM_CLOCK: Clock = systemClock(0);

/**
 * The real clock of a thread whose own count began `lateNs` after the one that it is to agree with: each thread of Node
 * counts from its own start. See `clockOriginNs`.
 */
export function systemClock(lateNs: number): Clock {
  return {
    nowNs: () => performance.now() * 1e6 + lateNs,
    wallMs: () => Date.now(),
    setTimer: (atNs, fire) => startTimer(atNs - lateNs, fire),
  };
}

/**
 * When this thread's count began, in the system's monotonic nanoseconds, which all threads share; exact to the time between
 * two readings (below a microsecond).
 */
export function clockOriginNs(): number {
  let origin = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i++) {
    const before = performance.now() * 1e6;
    origin = Math.min(origin, Number(process.hrtime.bigint()) - before);
  }
  return origin;
}

/** Node's timers count milliseconds up to 2^31: a longer wait is taken in stages, a shorter one rounded up. */
const LONGEST_MS = 2 ** 31 - 1;

function startTimer(atNs: number, fire: () => void): ClockTimer {
  let timer: NodeJS.Timeout | NodeJS.Immediate;
  let immediate = false;
  const arm = () => {
    const waitMs = (atNs - performance.now() * 1e6) / 1e6;
    immediate = waitMs < SHORTEST_MS;
    if (immediate) {
      timer = setImmediate(() => (performance.now() * 1e6 < atNs ? arm() : fire()));
      return;
    }
    const next = waitMs > LONGEST_MS ? arm : fire;
    timer = setTimeout(next, Math.min(Math.ceil(waitMs), LONGEST_MS));
    timer.unref();
  };
  arm();
  return {
    clear: () => (immediate ? clearImmediate(timer as NodeJS.Immediate) : clearTimeout(timer as NodeJS.Timeout)),
  };
}

/**
 * Below this a wait spins over the event loop's turns instead of sleeping: `setTimeout` cannot wait less than 1 ms, and
 * batching windows are microseconds.
 */
const SHORTEST_MS = 1;
