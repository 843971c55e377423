import type { ModelVersionId, SchedulerReport, SequencesReport } from '../../core/index.js';
import type { ModelScheduler } from './protocol-objects.js';

/** A scheduler's report in the form of the protocol's other objects. */
export function schedulerObject(id: ModelVersionId, report: SchedulerReport): ModelScheduler {
  const { curve, idleBecause, sequences } = report;
  return {
    name: id.model,
    version: String(id.version),
    policy: report.policy,
    slo_ms: report.sloMs,
    waiting: report.waiting,
    running: report.running,
    slots: report.slots,
    free_slots: report.freeSlots,
    ...(idleBecause === undefined ? {} : { idle_because: idleBecause }),
    arrivals_per_second: round(report.arrivalsPerSecond),
    padding_share: Math.round(report.paddingShare * 1e4) / 1e4,
    ...(curve === undefined
      ? {}
      : {
          curve: {
            rows: curve.rows,
            mean_ms: curve.meanMs,
            upper_ms: curve.upperMs,
            paying_rows: curve.payingRows,
          },
        }),
    tenants: report.tenants.map(({ name, weight, share, waiting, started, refused, deviceMs }) => ({
      name,
      weight,
      share: round(share),
      waiting,
      started,
      refused,
      device_ms: round(deviceMs),
    })),
    criticality: report.criticality,
    recent: report.recent.map(({ agoMs, kind, why, rows, waiting, freeSlots, waitMs }) => ({
      ago_ms: round(agoMs),
      kind,
      why,
      rows,
      waiting,
      free_slots: freeSlots,
      ...(waitMs === undefined ? {} : { wait_ms: round(waitMs) }),
    })),
    ...(sequences === undefined ? {} : { sequences: sequencesObject(sequences) }),
  };
}

function sequencesObject(report: SequencesReport): NonNullable<ModelScheduler['sequences']> {
  return {
    strategy: report.strategy,
    slots: report.slots,
    slots_in_use: report.slotsInUse,
    backlog: report.backlog,
    idle: report.idle,
    state_bytes: report.stateBytes,
    begun: report.begun,
    ended: report.ended,
    restarted: report.restarted,
    expired: report.expired,
    broken: report.broken,
  };
}

/** To a thousandth. */
function round(value: number): number {
  return Math.round(value * 1e3) / 1e3;
}
