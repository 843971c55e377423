import type { ServingError } from '../../src/core/index.js';

/** `REASON: message` of what a call throws; `none` where it does not. */
export function refusal(run: () => unknown): string {
  try {
    run();
  } catch (thrown) {
    const { reason, message } = thrown as ServingError;
    return `${reason}: ${message}`;
  }
  return 'none';
}
