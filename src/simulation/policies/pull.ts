import type { LivePolicyMaker } from './policy.js';

/** A free instance takes all that waits: Triton with delay 0. */
export const pull: LivePolicyMaker = () => [() => ({ planned: false })];
