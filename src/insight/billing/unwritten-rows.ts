import type { RollupLine, RollupPeriod, RollupQuery, RollupRow } from '../../core/index.js';
import type { CostSource } from './cost-source.js';

/** What is kept and, beside it, periods that are not: rows of one key may come several times. */
export function unwrittenRows(
  kept: CostSource,
  periods: readonly RollupPeriod[],
  currency: string | undefined,
): CostSource {
  if (currency === undefined || periods.length === 0) return kept;
  const within = (query: Pick<RollupQuery, 'currency' | 'fromMs' | 'toMs'>) =>
    query.currency !== currency ? [] : periods.filter(({ startMs }) => startMs >= query.fromMs && startMs < query.toMs);
  return {
    currencies: () => {
      const fromMs = Math.min(...periods.map(({ startMs }) => startMs));
      const toMs = Math.max(...periods.map(({ startMs, spanMs }) => startMs + spanMs));
      const known = kept.currencies();
      const same = known.find((one) => one.currency === currency);
      const whole = {
        currency,
        fromMs: Math.min(fromMs, same?.fromMs ?? fromMs),
        toMs: Math.max(toMs, same?.toMs ?? toMs),
      };
      return [whole, ...known.filter((one) => one !== same)];
    },
    lines: (query) => [
      ...kept.lines(query),
      ...within(query).flatMap(({ startMs, spanMs, lines }) =>
        lines.map((line) => ({ ...shown(line, query), startMs, spanMs })),
      ),
    ],
    devices: (query) => [
      ...kept.devices(query),
      ...within(query).flatMap(({ startMs, spanMs, devices }) =>
        devices.map((device) => ({ ...device, startMs, spanMs })),
      ),
    ],
  };
}

/** Only the dimensions that are asked for. */
function shown(line: RollupLine, { dimensions }: RollupQuery): Omit<RollupRow, 'startMs' | 'spanMs'> {
  const asked = new Set<string>(dimensions);
  return {
    ...line,
    model: asked.has('model') ? line.model : '',
    version: asked.has('version') ? line.version : 0,
    tenant: asked.has('tenant') ? line.tenant : '',
    route: asked.has('route') ? line.route : '',
    device: asked.has('device') ? line.device : '',
  };
}
