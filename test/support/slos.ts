import type { Slo } from '../../src/core/index.js';

/** An SLO of availability, 99.9 % over 30 days; `changes` on top. */
export function sloOf(changes: Partial<Slo> = {}): Slo {
  return {
    name: 'answered',
    description: '',
    model: 'm',
    version: undefined,
    route: undefined,
    objective: { kind: 'availability' },
    target: 0.999,
    windowDays: 30,
    minEvents: 0,
    labels: {},
    runbook: '',
    notify: undefined,
    ...changes,
  };
}
