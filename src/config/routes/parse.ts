import {
  type FilterAction,
  type ModelRoutes,
  type Reason,
  type RouteFault,
  routeFaults,
  type ServedTraits,
  ServingError,
} from '../../core/index.js';
import { type ReadDocument, readDocument } from '../document.js';
import { faultsOf, pathText } from '../issues.js';
import { withSchemaNames } from '../schema-walk.js';
import { routesSchema } from './schema.js';

/** A routes document that is whole in itself. */
export interface ParsedRoutes {
  readonly routes: ModelRoutes;
  /** Throws where it leads to versions that are not among these, or asks of them what they cannot, with the line. */
  refuseUnserved(versions: readonly number[], traits?: ServedTraits): void;
}

const MOST_CHARACTERS = 4 * 1024 * 1024;
const MOST_FAULTS_SHOWN = 5;

/**
 * Reads and checks a routes document, YAML or JSON. `path` is only for messages. Throws with `reason` (a file's fault is
 * MODEL_INVALID, a caller's MALFORMED_REQUEST): `PATH:LINE: what is wrong`.
 */
export function parseModelRoutes(text: string, path: string, reason: Reason = 'MALFORMED_REQUEST'): ParsedRoutes {
  const refuse = (faults: readonly RouteFault[], lineOf: ReadDocument['lineOf']) =>
    new ServingError(reason, faultText(path, faults, lineOf));
  if (text.length > MOST_CHARACTERS)
    throw new ServingError(reason, `${path}: larger than ${MOST_CHARACTERS} characters`);
  const { value, fault, lineOf } = readDocument(text);
  if (fault !== undefined) throw new ServingError(reason, `${path}:${fault.line}: ${fault.message}`);
  const parsed = routesSchema.safeParse(withSchemaNames(routesSchema, value ?? {}), { reportInput: true });
  if (!parsed.success) throw refuse(faultsOf(routesSchema, parsed.error) as readonly RouteFault[], lineOf);
  const routes = routesOf(parsed.data);
  const faults = routeFaults(routes);
  if (faults.length > 0) throw refuse(faults, lineOf);
  return {
    routes,
    refuseUnserved: (versions, traits) => {
      const unserved = routeFaults(routes, versions, traits);
      if (unserved.length > 0) throw refuse(unserved, lineOf);
    },
  };
}

function routesOf(read: ReturnType<typeof routesSchema.parse>): ModelRoutes {
  const { labels, flags } = read;
  return {
    labels,
    flags,
    default: read.default,
    splits: Object.fromEntries(
      Object.entries(read.splits).map(([name, { arms, key, salt, flag }]) => [
        name,
        { arms, key, salt: salt ?? name, flag },
      ]),
    ),
    rules: read.rules.map(({ name, when, to, flag }) => ({ name, when, to, flag })),
    shadows: read.shadows.map(({ name, to, percent, when, flag }) => ({ name, to, percent, when, flag })),
    filters: read.filters.map((filter) => ({
      name: filter.name,
      when: filter.when,
      action: actionOf(filter),
      enabled: filter.enabled,
      flag: filter.flag,
    })),
    fallback: read.fallback && {
      to: read.fallback.to,
      onError: read.fallback.on_error,
      afterMs: read.fallback.after_ms,
    },
    ejection: read.ejection && {
      consecutiveFailures: read.ejection.consecutive_failures,
      errorPercent: read.ejection.error_percent,
      window: read.ejection.window,
      seconds: read.ejection.seconds,
      maxSeconds: Math.max(read.ejection.seconds, read.ejection.max_seconds),
    },
  };
}

/** The schema let exactly one of them through. */
function actionOf({ block, answer, reroute }: ReturnType<typeof routesSchema.parse>['filters'][number]): FilterAction {
  if (block !== undefined) return { block };
  if (reroute !== undefined) return { reroute };
  return {
    answer: (answer ?? []).map(({ name, datatype, shape, data }) => ({
      name,
      dataType: datatype,
      shape,
      values: data,
    })),
  };
}

function faultText(path: string, faults: readonly RouteFault[], lineOf: ReadDocument['lineOf']): string {
  const texts = faults.slice(0, MOST_FAULTS_SHOWN).map((fault) => {
    const where = pathText(fault.path);
    return { line: lineOf(fault.path), text: where === '' ? fault.message : `${where}: ${fault.message}` };
  });
  const [first, ...rest] = texts;
  const others = rest.map(({ line, text }) => (line === undefined ? text : `line ${line}: ${text}`));
  if (faults.length > MOST_FAULTS_SHOWN) others.push(`and ${faults.length - MOST_FAULTS_SHOWN} more`);
  const at = first?.line === undefined ? '' : `:${first.line}`;
  return `${path}${at}: ${[first?.text, ...others].join('; ')}`;
}
