import type { CostLine, IdleLine, LedgerSnapshot } from '../../core/index.js';
import { Family, type Sample } from '../family.js';
import type { LabelName } from '../label-vocabulary.js';

const LINE: readonly LabelName[] = ['device', 'model', 'version', 'tenant', 'route', 'kind'];
const IDLE: readonly LabelName[] = ['device', 'model', 'version'];

/** Every metric of the ledger; all families of one scrape show one instant. */
export function costFamilies(read: () => LedgerSnapshot): Family[] {
  let shown: LedgerSnapshot | undefined;
  const now = (): LedgerSnapshot => {
    // All families of a scrape are read in one turn.
    if (shown === undefined)
      queueMicrotask(() => {
        shown = undefined;
      });
    shown ??= read();
    return shown;
  };
  const lines = (value: (line: CostLine) => number) => () =>
    now().lines.map((line): Sample => ({ labels: labelsOf(line), value: value(line) }));
  const money = (labels: Sample['labels']) => ({ ...labels, currency: now().currency });
  const idle = (value: (line: IdleLine) => number) => () =>
    now().idle.map((line): Sample => ({ labels: idleLabels(line), value: value(line) }));
  const devices = (value: (device: LedgerSnapshot['devices'][number]) => number) => () =>
    now().devices.map((device): Sample => ({ labels: { device: device.device }, value: value(device) }));
  return [
    new Family(
      'penstock_cost_device_seconds_total',
      'counter',
      'Time on the device that was booked: what callers asked for (direct), or why it was spent else.',
      lines(({ deviceSeconds }) => deviceSeconds),
      LINE,
    ),
    new Family(
      'penstock_cost_amount_total',
      'counter',
      'What the time on the device costs that was booked; 0 where no price is known.',
      () => now().lines.map((line) => ({ labels: money(labelsOf(line)), value: line.amount })),
      [...LINE, 'currency'],
    ),
    new Family(
      'penstock_cost_requests_total',
      'counter',
      'Requests that were executed, answered or not.',
      lines(({ requests }) => requests),
      LINE,
    ),
    new Family(
      'penstock_cost_rows_total',
      'counter',
      'Rows that were executed.',
      lines(({ rows }) => rows),
      LINE,
    ),
    new Family(
      'penstock_cost_alone_seconds_total',
      'counter',
      'Time on the device that the same requests would have taken, each in an execution of its own, by the learned cost.',
      () =>
        now()
          .lines.filter(({ kind }) => kind === 'direct')
          .map((line) => ({ labels: labelsOf(line), value: line.aloneSeconds })),
      LINE,
    ),
    new Family(
      'penstock_cost_idle_seconds_total',
      'counter',
      'Time in which the device did nothing, by the version that pays for it; no model: nobody does.',
      idle(({ seconds }) => seconds),
      IDLE,
    ),
    new Family(
      'penstock_cost_idle_amount_total',
      'counter',
      'What such idle time costs; 0 where no price is known.',
      () => now().idle.map((line) => ({ labels: money(idleLabels(line)), value: line.amount })),
      [...IDLE, 'currency'],
    ),
    new Family(
      'penstock_cost_elapsed_seconds_total',
      'counter',
      'Time of the device that is accounted for: busy and idle, but for executions that have not ended.',
      devices(({ elapsedSeconds }) => elapsedSeconds),
      ['device'],
    ),
    new Family(
      'penstock_cost_busy_seconds_total',
      'counter',
      'Time of the device in which executions ran that have ended; each instant once, however many there were.',
      devices(({ busySeconds }) => busySeconds),
      ['device'],
    ),
    new Family(
      'penstock_cost_device_amount_total',
      'counter',
      'Price of the device times its elapsed time.',
      () => now().devices.map(({ device, amount }) => ({ labels: money({ device }), value: amount })),
      ['device', 'currency'],
    ),
    new Family(
      'penstock_cost_price_per_hour',
      'gauge',
      'Price of the device in use; kind none: none is known.',
      () =>
        now().devices.map(({ device, priceKind, pricePerHour }) => ({
          labels: money({ device, kind: priceKind }),
          value: pricePerHour,
        })),
      ['device', 'kind', 'currency'],
    ),
    new Family(
      'penstock_cost_conservation_error_ratio',
      'gauge',
      'What was booked and idle against the time by the clock: rounding, some 1e-12, unless something was not booked.',
      devices(({ conservationError }) => conservationError),
      ['device'],
    ),
  ];
}

function labelsOf({ device, model, version, tenant, route, kind }: CostLine): Sample['labels'] {
  return { device, model, version: String(version), tenant, route, kind };
}

function idleLabels({ device, model, version }: IdleLine): Sample['labels'] {
  return { device, model, version: version === 0 ? '' : String(version) };
}
