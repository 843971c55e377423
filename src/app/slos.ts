import { type ServerConfig, serverSlos } from '../config/index.js';
import type { Clock, LedgerSnapshot, Log, Slo, SloState } from '../core/index.js';
import { type Metrics, SloBook } from '../insight/index.js';
import { sloEvent } from './cloud-event.js';
import type { VersionAges } from './version-ages.js';
import type { Webhooks } from './webhooks.js';

export interface SlosParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly webhooks: Webhooks;
  readonly ages: VersionAges;
  /** Undefined: none is kept. */
  readonly ledger: (() => LedgerSnapshot) | undefined;
}

/** The SLOs of a configuration, and of models as they are loaded. Their moves go to the log and to webhooks. */
export function createSlos(config: ServerConfig, parts: SlosParts): SloBook {
  const { clock, log, metrics, webhooks, ages, ledger } = parts;
  const onMove = (slo: Slo, from: SloState, to: SloState, why: string) => {
    const { name, objective, target, model, labels, runbook, notify } = slo;
    const fields = { slo: name, ...(model === undefined ? {} : { model }), from, to, why };
    if (to === 'ok') log.info('SLO keeps its error budget again', fields);
    else log.warn('SLO burns its error budget', { ...fields, ...(runbook === '' ? {} : { runbook }) });
    const about = { slo: name, objective, target, model, labels, ...(runbook === '' ? {} : { runbook }) };
    webhooks.send(sloEvent({ ...about, from, to, why, atMs: clock.wallMs() }), notify);
  };
  return new SloBook(serverSlos(config.slos), {
    clock,
    places: metrics.routePlaces,
    sources: { ledger, writtenMs: (id) => ages.writtenMs(id), versions: () => metrics.versions() },
    onMove,
  });
}
