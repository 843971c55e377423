import { decideByDeadlines } from './deadline-rules.js';
import type { Decision, SchedulingView } from './scheduling-view.js';
import { decideByKnobs } from './triton-knobs.js';

/**
 * What to do now, asked when an instance is free. Where requests have deadlines and it is known how long executions take,
 * deadlines decide; else Triton's knobs.
 */
export function decide(view: SchedulingView, nowNs: number): Decision {
  const { plan } = view;
  return plan === undefined || view.freeSlots < 1 ? decideByKnobs(view, nowNs) : decideByDeadlines(view, plan, nowNs);
}
