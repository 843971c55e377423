import type {
  CriticalityReport,
  QueueOutlook,
  SchedulerReport,
  SequencesReport,
  TenantReport,
} from '../../core/index.js';

const DECISIONS_SHOWN = 64;

/** The reports of the instances' queues as one. The curve is that of the first: they run the same model. */
export function joinedReport(
  reports: readonly SchedulerReport[],
  waiting: number,
  sequences: SequencesReport,
): SchedulerReport {
  const [first] = reports as readonly [SchedulerReport];
  const sum = (figure: (report: SchedulerReport) => number) =>
    reports.reduce((total, report) => total + figure(report), 0);
  return {
    ...first,
    waiting,
    running: sum(({ running }) => running),
    slots: sum(({ slots }) => slots),
    freeSlots: sum(({ freeSlots }) => freeSlots),
    idleBecause: reports.find(({ idleBecause }) => idleBecause !== undefined)?.idleBecause,
    arrivalsPerSecond: sum(({ arrivalsPerSecond }) => arrivalsPerSecond),
    tenants: joinedTenants(reports.flatMap(({ tenants }) => tenants)),
    criticality: joinedLevels(reports.flatMap(({ criticality }) => criticality)),
    recent: reports
      .flatMap(({ recent }) => recent)
      .sort((a, b) => a.agoMs - b.agoMs)
      .slice(0, DECISIONS_SHOWN),
    sequences,
  };
}

function joinedTenants(parts: readonly TenantReport[]): TenantReport[] {
  const byName = new Map<string, TenantReport>();
  for (const part of parts) {
    const known = byName.get(part.name);
    byName.set(
      part.name,
      known === undefined
        ? part
        : {
            ...known,
            share: Math.max(known.share, part.share),
            waiting: known.waiting + part.waiting,
            started: known.started + part.started,
            refused: known.refused + part.refused,
            deviceMs: known.deviceMs + part.deviceMs,
          },
    );
  }
  return [...byName.values()];
}

function joinedLevels(parts: readonly CriticalityReport[]): CriticalityReport[] {
  const byLevel = new Map<string, CriticalityReport>();
  for (const { level, started, refused } of parts) {
    const known = byLevel.get(level);
    byLevel.set(level, {
      level,
      started: started + (known?.started ?? 0),
      refused: refused + (known?.refused ?? 0),
    });
  }
  return [...byLevel.values()];
}

/** The lines of the instances as one; `waitedMs`: of the request that has waited longest here. */
export function joinedOutlook(lines: readonly QueueOutlook[], waitedMs: number): QueueOutlook {
  const [first] = lines as readonly [QueueOutlook];
  const known = lines.map(({ answerInMs }) => answerInMs).filter((ms) => ms !== undefined);
  return {
    id: first.id,
    slots: lines.reduce((sum, { slots }) => sum + slots, 0),
    busySlots: lines.reduce((sum, { busySlots }) => sum + busySlots, 0),
    waitedMs: lines.reduce((most, line) => Math.max(most, line.waitedMs), waitedMs),
    answerInMs: known.length === 0 ? undefined : Math.min(...known),
    arrivalsPerSecond: lines.reduce((sum, line) => sum + line.arrivalsPerSecond, 0),
  };
}
