import { didYouMean, ServingError } from '../../core/index.js';
import { readDocument } from '../document.js';
import { type ConfigFault, faultsOf, pathText } from '../issues.js';
import { withSchemaNames } from '../schema-walk.js';
import { liftCudaAccelerator, liftOwnParameters, OWN_PARAMETER_NAMES } from './own-fields.js';
import { readTextFormat, TextFormatError } from './pbtxt.js';
import { type ModelConfig, modelConfigSchema } from './schema.js';
import { UNHONOURED } from './unhonoured.js';

export type ModelConfigSyntax = 'pbtxt' | 'yaml' | 'json';

export interface ParsedModelConfig {
  readonly config: ModelConfig;
  /** A sentence for each field that is read but not honoured, and without which answers are the same. */
  readonly warnings: readonly string[];
}

const MAX_CONFIG_BYTES = 4 * 1024 * 1024;
const MAX_FAULTS_SHOWN = 5;

/**
 * Reads and checks one model config. `path` is only for messages. The three syntaxes mean the same; text format has our
 * own fields under `parameters` (`penstock.engine` ...). Throws `MODEL_INVALID`: what is wrong, on which line.
 */
export function parseModelConfig(text: string, syntax: ModelConfigSyntax, path: string): ParsedModelConfig {
  if (text.length > MAX_CONFIG_BYTES) throw invalid(path, undefined, `larger than ${MAX_CONFIG_BYTES} characters`);
  const { value, lineOf } = read(text, syntax, path);
  const refuse = (faults: readonly ConfigFault[]) => refuseFaults(path, faults, lineOf);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(path, undefined, 'expected a map of fields');
  const raw = (syntax === 'pbtxt' ? value : withSchemaNames(modelConfigSchema, value)) as Record<string, unknown>;
  const unknown = liftOwnParameters(raw);
  if (unknown.length > 0)
    refuse(
      unknown.map((name) => ({
        path: ['parameters', name],
        message: `unknown parameter '${name}'${didYouMean(name, OWN_PARAMETER_NAMES)}`,
      })),
    );
  liftCudaAccelerator(raw);
  const parsed = modelConfigSchema.safeParse(raw, { reportInput: true });
  if (!parsed.success) return refuse(faultsOf(modelConfigSchema, parsed.error));
  return { config: parsed.data, warnings: checkHonoured(parsed.data, path, refuse) };
}

type LineOf = (path: readonly PropertyKey[]) => number | undefined;

function read(text: string, syntax: ModelConfigSyntax, path: string): { value: unknown; lineOf: LineOf } {
  if (syntax === 'pbtxt') {
    try {
      return { value: readTextFormat(text), lineOf: () => undefined };
    } catch (thrown) {
      if (thrown instanceof TextFormatError) throw invalid(path, thrown.line, thrown.message);
      throw thrown;
    }
  }
  if (syntax === 'json') return { value: readJson(text, path), lineOf: (keys) => readDocument(text).lineOf(keys) };
  const { value, fault, lineOf } = readDocument(text);
  if (fault !== undefined) throw invalid(path, fault.line, fault.message);
  return { value: value ?? {}, lineOf };
}

function readJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw invalid(path, undefined, `not JSON: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
}

/** Warnings of the fields that are set and not honoured; refuses those that would change answers. */
function checkHonoured(config: ModelConfig, path: string, refuse: (faults: readonly ConfigFault[]) => never): string[] {
  const asked = UNHONOURED.filter((row) => row.asked(config));
  const errors = asked.filter((row) => row.effect === 'error');
  if (errors.length > 0)
    refuse(errors.map((row) => ({ path: row.field.split('.'), message: `not supported: ${row.why}` })));
  return asked.map((row) => `${path}: ${row.field} is not honoured: ${row.why}`);
}

function refuseFaults(path: string, faults: readonly ConfigFault[], lineOf: LineOf): never {
  const [first, ...rest] = faults.slice(0, MAX_FAULTS_SHOWN).map((fault) => {
    const where = pathText(fault.path);
    return { line: lineOf(fault.path), text: where === '' ? fault.message : `${where}: ${fault.message}` };
  });
  const others = rest.map(({ line, text }) => (line === undefined ? text : `line ${line}: ${text}`));
  if (faults.length > MAX_FAULTS_SHOWN) others.push(`and ${faults.length - MAX_FAULTS_SHOWN} more`);
  throw invalid(path, first?.line, [first?.text, ...others].join('; '));
}

function invalid(path: string, line: number | undefined, message: string): ServingError {
  return new ServingError('MODEL_INVALID', `${path}${line === undefined ? '' : `:${line}`}: ${message}`);
}
