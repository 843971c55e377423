import { checkModelName, type Reason, ServingError } from '../../core/index.js';
import { type ReadDocument, readDocument } from '../document.js';
import { type ConfigFault, faultsOf, pathText } from '../issues.js';
import { planFaults } from './checks.js';
import { rolloutPlanSchema, type WrittenPlan } from './schema.js';

/** A rollout plan that can be, as far as it can be told without the versions that serve. */
export interface ParsedPlan {
  readonly plan: WrittenPlan & { readonly model: string };
  /** The error for a fault found later, with its line. */
  fault(fault: ConfigFault): ServingError;
}

const MOST_CHARACTERS = 1024 * 1024;
const MOST_FAULTS_SHOWN = 5;

/**
 * Reads and checks a rollout plan, YAML or JSON. `path` is for messages only; `model`: the one that it stands beside. Throws
 * with `reason` (a file's fault is MODEL_INVALID, a caller's MALFORMED_REQUEST): `PATH:LINE: what is wrong`.
 */
export function parseRolloutPlan(
  text: string,
  path: string,
  model?: string,
  reason: Reason = 'MALFORMED_REQUEST',
): ParsedPlan {
  if (text.length > MOST_CHARACTERS)
    throw new ServingError(reason, `${path}: larger than ${MOST_CHARACTERS} characters`);
  const { value, fault, lineOf } = readDocument(text);
  if (fault !== undefined) throw new ServingError(reason, `${path}:${fault.line}: ${fault.message}`);
  const refusal = (faults: readonly ConfigFault[]) => new ServingError(reason, faultText(path, faults, lineOf));
  const parsed = rolloutPlanSchema.safeParse(value ?? {}, { reportInput: true });
  if (!parsed.success) throw refusal(faultsOf(rolloutPlanSchema, parsed.error));
  const plan = parsed.data;
  const name = plan.model ?? model;
  const faults = planFaults(plan);
  if (name === undefined) faults.unshift({ path: ['model'], message: 'is required' });
  else if (model !== undefined && name !== model)
    faults.unshift({ path: ['model'], message: `stands beside model '${model}': expected that, got '${name}'` });
  if (name === undefined || faults.length > 0) throw refusal(faults);
  return { plan: { ...plan, model: checkModelName(name) }, fault: (one) => refusal([one]) };
}

function faultText(path: string, faults: readonly ConfigFault[], lineOf: ReadDocument['lineOf']): string {
  const [first, ...rest] = faults.slice(0, MOST_FAULTS_SHOWN).map((fault) => {
    const where = pathText(fault.path);
    return { line: lineOf(fault.path), text: where === '' ? fault.message : `${where}: ${fault.message}` };
  });
  const others = rest.map(({ line, text }) => (line === undefined ? text : `line ${line}: ${text}`));
  if (faults.length > MOST_FAULTS_SHOWN) others.push(`and ${faults.length - MOST_FAULTS_SHOWN} more`);
  return `${path}${first?.line === undefined ? '' : `:${first.line}`}: ${[first?.text, ...others].join('; ')}`;
}
