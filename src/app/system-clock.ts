import type { Clock, ClockTimer } from '../core/index.js';
import { Alarms } from '../machine/index.js';

/**
 * The real clock: monotonic nanoseconds since the process began, timers that do not keep the process alive, exact to about a
 * tenth of a millisecond where the event loop is free.
 */
export const SYSTEM_CLOCK: Clock = exactClock(new Alarms());

function exactClock(alarms: Alarms): Clock {
  return { ...systemClock(0), setTimer: (atNs, fire) => startExactTimer(alarms, atNs, fire) };
}

/**
 * The real clock of a thread whose own count began `lateNs` after the one that it is to agree with: each thread of Node
 * counts from its own start. See `monotonicOriginNs`.
 */
export function systemClock(lateNs: number): Clock {
  return {
    nowNs: () => performance.now() * 1e6 + lateNs,
    wallMs: () => Date.now(),
    setTimer: (atNs, fire) => startTimer(atNs - lateNs, fire),
  };
}

/** Up to this before the instant Node's timers, which are up to two milliseconds late, take the wait; then an alarm. */
const EXACT_MS = 3;

function startExactTimer(alarms: Alarms, atNs: number, fire: () => void): ClockTimer {
  let clear: () => void = () => {};
  const arm = () => {
    const coarseMs = (atNs - performance.now() * 1e6) / 1e6 - EXACT_MS;
    if (coarseMs < 0) {
      clear = alarms.set(atNs, fire);
      return;
    }
    const timer = setTimeout(arm, Math.min(Math.ceil(coarseMs), LONGEST_MS));
    timer.unref();
    clear = () => clearTimeout(timer);
  };
  arm();
  return { clear: () => clear() };
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
