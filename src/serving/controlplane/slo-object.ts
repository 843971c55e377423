import { burnAlerts, minutesText, objectiveText, type SloSource, type SloStatus } from '../../core/index.js';
import type { SloObject, SloReport } from './protocol-objects.js';

/** How the SLOs stand, in the form of the protocol's other objects. */
export function sloReport(source: SloSource): SloReport {
  return { since_ms: source.sinceMs, slos: source.statuses().map(sloObject) };
}

function sloObject({ slo, state, events, good, budgetRemaining, coveredSeconds, burn, missing }: SloStatus): SloObject {
  const { name, description, model, version, route, objective, target, windowDays, minEvents, labels, runbook } = slo;
  return {
    name,
    ...(description === '' ? {} : { description }),
    ...(model === undefined ? {} : { model }),
    ...(version === undefined ? {} : { version: String(version) }),
    ...(route === undefined ? {} : { route }),
    objective: objective.kind,
    promise: objectiveText(slo),
    target,
    window_days: windowDays,
    state,
    ...(missing === undefined ? {} : { missing }),
    events,
    bad: events - good,
    error_budget_remaining: rounded(budgetRemaining),
    covered_seconds: coveredSeconds,
    burn_rates: Object.fromEntries(burn.map(({ minutes, rate }) => [minutesText(minutes), rounded(rate)])),
    alerts: burnAlerts(slo).map(({ severity, longMinutes, shortMinutes, rate }) => ({
      severity,
      long: minutesText(longMinutes),
      short: minutesText(shortMinutes),
      rate,
      min_events: minEvents,
    })),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(runbook === '' ? {} : { runbook }),
  };
}

/** To a ten-thousandth. */
function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
