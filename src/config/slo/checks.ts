import { LATENCY_BOUNDS_MS, type SloObjective } from '../../core/index.js';
import type { ConfigFault } from '../issues.js';

type Kind = SloObjective['kind'];

/** What the checks look at; see the schema. */
interface Given {
  readonly objective: Kind;
  readonly version?: number | undefined;
  readonly route?: string | undefined;
  readonly underMs?: number | undefined;
  readonly metric?: string | undefined;
  readonly atLeast?: number | undefined;
  readonly costPerRequest?: number | undefined;
  readonly ageOf?: string | undefined;
  readonly maxAgeHours?: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

type Field = 'underMs' | 'metric' | 'atLeast' | 'costPerRequest' | 'ageOf' | 'maxAgeHours';

/** The fields of each kind of objective, and whether it can be said without. */
const FIELDS: Readonly<Record<Kind, Partial<Record<Field, 'required' | 'optional'>>>> = {
  availability: {},
  latency: { underMs: 'required' },
  quality: { metric: 'optional', atLeast: 'optional' },
  cost: { costPerRequest: 'required' },
  freshness: { ageOf: 'optional', maxAgeHours: 'required' },
};

const ALL: readonly Field[] = ['underMs', 'metric', 'atLeast', 'costPerRequest', 'ageOf', 'maxAgeHours'];
/** Labels that alerts have anyway. */
const TAKEN = ['alertname', 'severity', 'slo', 'model', 'objective'];

/** What is wrong with an SLO whose fields are each right by themselves. */
export function sloFaults(slo: Given): readonly ConfigFault[] {
  const { objective: kind, route, underMs, metric, atLeast } = slo;
  const faults: ConfigFault[] = [];
  for (const field of ALL) {
    const need = FIELDS[kind][field];
    if (slo[field] !== undefined && need === undefined)
      faults.push({ path: [field], message: `an objective '${kind}' does not have it` });
    else if (slo[field] === undefined && need === 'required')
      faults.push({ path: [field], message: `is required for an objective '${kind}'` });
  }
  if (kind === 'quality' && atLeast !== undefined && metric === undefined)
    faults.push({ path: ['metric'], message: 'is required beside atLeast: the metric of the values' });
  if (route !== undefined && kind !== 'availability' && kind !== 'latency')
    faults.push({ path: ['route'], message: `an objective '${kind}' is not counted by route` });
  if (route !== undefined && kind === 'latency' && underMs !== undefined && !LATENCY_BOUNDS_MS.includes(underMs))
    faults.push({
      path: ['underMs'],
      message: `by route it has to be a bound of the histograms: one of ${LATENCY_BOUNDS_MS.join(', ')}`,
    });
  for (const label of Object.keys(slo.labels))
    if (TAKEN.includes(label)) faults.push({ path: ['labels', label], message: 'alerts have this label already' });
  return faults;
}
