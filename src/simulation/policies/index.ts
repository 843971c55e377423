import { aimd } from './aimd.js';
import type { PolicyMaker } from './policy.js';
import { pull } from './pull.js';
import { pullDrop } from './pull-drop.js';
import { symphony } from './symphony.js';
import { window } from './window.js';

/** The policies that can be compared; `penstock` is the gateway's own. */
export const POLICIES = {
  penstock: () => [() => ({ planned: true })],
  window,
  pull,
  'pull-drop': pullDrop,
  aimd,
  symphony,
} as const satisfies Record<string, PolicyMaker>;

export type PolicyName = keyof typeof POLICIES;
