import type { Clock } from '../../src/core/index.js';

const nowNs = () => Number(process.hrtime.bigint());

/** Real time, for tests that need sockets. */
export const WALL_CLOCK: Clock = {
  nowNs,
  wallMs: () => Date.now(),
  setTimer: (atNs, fire) => {
    const timer = setTimeout(fire, Math.max(0, (atNs - nowNs()) / 1e6));
    timer.unref();
    return { clear: () => clearTimeout(timer) };
  },
};
