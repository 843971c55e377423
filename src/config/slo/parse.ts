import { DEFAULT_FEEDBACK_METRIC, ServingError, type Slo, type SloObjective } from '../../core/index.js';
import { readDocument } from '../document.js';
import { faultsOf, pathText } from '../issues.js';
import { modelSlosSchema, type WrittenSlo } from './schema.js';

/** The SLOs of the server's configuration, as they were checked with it. */
export function serverSlos(written: readonly WrittenSlo[]): readonly Slo[] {
  return written.map((slo) => sloOf(slo, slo.name, slo.model));
}

/** Reads `slo.yaml` (or JSON) beside a model. `path` is for messages. Throws MODEL_INVALID with the line at fault. */
export function parseModelSlos(text: string, path: string, model: string): readonly Slo[] {
  const { value, fault, lineOf } = readDocument(text);
  if (fault !== undefined) throw new ServingError('MODEL_INVALID', `${path}:${fault.line}: ${fault.message}`);
  const parsed = modelSlosSchema.safeParse(value ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data.slos.map((slo) => sloOf(slo, `${model}/${slo.name}`, model));
  const faults = faultsOf(modelSlosSchema, parsed.error).map(({ path: at, message }) => {
    const line = lineOf(at);
    return `${path}${line === undefined ? '' : `:${line}`}: ${at.length === 0 ? '' : `${pathText(at)}: `}${message}`;
  });
  throw new ServingError('MODEL_INVALID', faults.join('; '));
}

function sloOf(written: Omit<WrittenSlo, 'model'>, name: string, model: string | undefined): Slo {
  const { description, version, route, targetPercent, windowDays, minEvents, labels, runbook, notify } = written;
  return Object.freeze({
    name,
    description,
    model,
    version,
    route,
    objective: objectiveOf(written),
    // 99.9 / 100 is 0.9990000000000001.
    target: Number((targetPercent / 100).toPrecision(12)),
    windowDays,
    minEvents,
    labels,
    runbook,
    notify,
  });
}

/** The fields that a kind needs are there: `sloFaults` has looked. */
function objectiveOf(written: Omit<WrittenSlo, 'model'>): SloObjective {
  const { objective: kind, underMs, metric, atLeast, costPerRequest, ageOf, maxAgeHours } = written;
  switch (kind) {
    case 'availability':
      return { kind };
    case 'latency':
      return { kind, underMs: underMs as number };
    case 'quality':
      return { kind, metric: metric ?? DEFAULT_FEEDBACK_METRIC, atLeast };
    case 'cost':
      return { kind, perRequest: costPerRequest as number };
    case 'freshness':
      return { kind, of: ageOf ?? 'version', maxAgeHours: maxAgeHours as number };
  }
}
