import { aimd } from './aimd.js';
import type { LivePolicyMaker, PolicyMaker } from './policy.js';
import { pull } from './pull.js';
import { pullDrop } from './pull-drop.js';
import { symphony } from './symphony.js';
import { window } from './window.js';

/** Those that the gateway can be told to run; `penstock` is its own. The window is a model's `max_queue_delay_microseconds`. */
export const LIVE_POLICIES = {
  penstock: () => [() => ({ planned: true })],
  pull,
  'pull-drop': pullDrop,
  aimd,
  symphony,
} as const satisfies Record<string, LivePolicyMaker>;

/** The policies that can be compared in simulation. */
export const POLICIES = { ...LIVE_POLICIES, window } as const satisfies Record<string, PolicyMaker>;

export type PolicyName = keyof typeof POLICIES;
