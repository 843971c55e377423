import { z } from 'zod';
import { didYouMean } from '../core/index.js';
import { fieldsOf, type SchemaNode, schemaAt, unwrapped } from './schema-walk.js';

/** One fault of a configuration: where it is (keys from the root) and what is wrong with it. */
export interface ConfigFault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The faults that zod found, as sentences; an unknown key names the nearest known one. */
export function faultsOf(schema: SchemaNode, error: z.core.$ZodError): ConfigFault[] {
  return error.issues.flatMap((issue) => faultsOfIssue(schema, issue));
}

/** `http.port`, `input[0].dims`; empty for the root. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`)).join('');
}

function faultsOfIssue(schema: SchemaNode, issue: z.core.$ZodIssue): ConfigFault[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    const at = schemaAt(schema, path);
    const known = Object.keys((at && fieldsOf(at)) ?? {});
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `unknown field '${key}'${didYouMean(key, known)}`,
    }));
  }
  if (issue.code === 'invalid_union') return [unionFault(schema, issue)];
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const given = typeof issue.input === 'string' ? issue.input : undefined;
    const hint = given === undefined ? '' : didYouMean(given, values);
    return [{ path, message: `expected one of ${values.join(', ')}, got ${shown(issue.input)}${hint}` }];
  }
  if (issue.code === 'invalid_type')
    return [
      {
        path,
        message: issue.input === undefined ? 'is required' : `expected ${issue.expected}, got ${shown(issue.input)}`,
      },
    ];
  if (issue.code === 'invalid_key') return [{ path, message: issue.issues[0]?.message ?? issue.message }];
  return [{ path, message: issue.message }];
}

/** A union's fault in the words of its members: what would have been accepted. */
function unionFault(schema: SchemaNode, issue: z.core.$ZodIssueInvalidUnion): ConfigFault {
  const at = schemaAt(schema, issue.path);
  const bare = at === undefined ? undefined : unwrapped(at);
  // An object among plain values (a parameter): its own fault says more than a list of what else could stand there.
  const unknown = issue.errors.flat().find((inner) => inner.code === 'unrecognized_keys');
  if (unknown !== undefined && bare !== undefined && typeof issue.input === 'object')
    return faultsOfIssue(bare, unknown)[0]!;
  const kinds = new Set(bare instanceof z.ZodUnion ? bare.options.map(kindOf) : []);
  const expected = kinds.has('integer') ? 'an integer' : [...kinds].join(' or ');
  return { path: issue.path, message: `expected ${expected}, got ${shown(issue.input)}` };
}

function kindOf(schema: z.core.$ZodType): string {
  const bare = unwrapped(schema);
  if (bare instanceof z.ZodNumber) return bare.isInt ? 'integer' : 'number';
  return bare._zod.def.type;
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'bigint') return String(value);
  const text = typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
