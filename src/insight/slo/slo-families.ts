import { minutesText, SLO_SEVERITIES, type Slo } from '../../core/index.js';
import { Family, type Sample } from '../family.js';
import type { TrackedSlo } from './tracked-slo.js';

/** How SLOs stand; there are as many series as are configured. */
export function sloFamilies(read: () => readonly TrackedSlo[]): Family[] {
  const each = (samples: (tracked: TrackedSlo, labels: { slo: string }) => Iterable<Sample>) =>
    read().flatMap((tracked) => [...samples(tracked, { slo: tracked.slo.name })]);
  return [
    new Family(
      'penstock_slo_info',
      'gauge',
      'SLOs that are configured: always 1. Empty: all.',
      () => each(({ slo }, labels) => [{ labels: { ...labels, ...selectorOf(slo) }, value: 1 }]),
      ['slo', 'objective', 'model', 'version', 'route'],
    ),
    new Family(
      'penstock_slo_target_ratio',
      'gauge',
      'Share of events that have to be good.',
      () => each(({ slo }, labels) => [{ labels, value: slo.target }]),
      ['slo'],
    ),
    new Family(
      'penstock_slo_events_total',
      'counter',
      'Events that count for an SLO.',
      () => each(({ sums }, labels) => [{ labels, value: sums.events }]),
      ['slo'],
    ),
    new Family(
      'penstock_slo_good_total',
      'counter',
      'Those of them that were good.',
      () => each(({ sums }, labels) => [{ labels, value: sums.good }]),
      ['slo'],
    ),
    new Family(
      'penstock_slo_error_budget_remaining_ratio',
      'gauge',
      'Part of the error budget that is left, as far back as this process knows.',
      () => each((tracked, labels) => [{ labels, value: tracked.status().budgetRemaining }]),
      ['slo'],
    ),
    new Family(
      'penstock_slo_burn_rate',
      'gauge',
      'How fast the error budget is spent, over windows as far back as this process knows: 1 = it lasts just for its window.',
      () =>
        each(function* (tracked, labels) {
          for (const { minutes, rate } of tracked.status().burn)
            yield { labels: { ...labels, window: minutesText(minutes) }, value: rate };
        }),
      ['slo', 'window'],
    ),
    new Family(
      'penstock_slo_burning',
      'gauge',
      'Whether an alert of this severity holds here: 1 where it does.',
      () =>
        each((tracked, labels) =>
          SLO_SEVERITIES.map((severity) => ({
            labels: { ...labels, severity },
            value: Number(tracked.state === severity),
          })),
        ),
      ['slo', 'severity'],
    ),
  ];
}

/** Whom an SLO is about, as labels; empty: all. */
function selectorOf({ model, version, route, objective }: Slo) {
  return {
    objective: objective.kind,
    model: model ?? '',
    version: version === undefined ? '' : String(version),
    route: route ?? '',
  };
}
