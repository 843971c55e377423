import type { PolicyMaker } from './policy.js';

/** A free instance takes all that waits: Triton with delay 0. */
export const pull: PolicyMaker = () => [() => ({ planned: false })];
