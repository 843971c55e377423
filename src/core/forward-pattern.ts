import { ServingError } from './errors.js';
import type { CallerTraits, Parameters } from './inference.js';

/** What RE2 reads in another way than JavaScript does, or JavaScript not at all. */
const OF_RE2_ALONE = /\\[ACQpPz]|\[\[:|\(\?P<|\(\?[a-zA-Z]*-?[a-zA-Z]+[:)]/;

/**
 * Triton's pattern of the names of headers that become parameters: a regular expression that is found anywhere in a name,
 * whatever its case. `(?i)` in front changes nothing. Throws `Error` where it is no pattern of both RE2 and JavaScript.
 */
export function forwardPattern(text: string): RegExp {
  // Names come in lower case, by HTTP/2 and by the library of HTTP/1.1: what tells cases apart would find nothing.
  if (text.startsWith('(?-i)'))
    throw new Error('(?-i) asks for the case of header names, which is not kept: they are all in lower case here');
  const pattern = text.startsWith('(?i)') ? text.slice(4) : text;
  const foreign = OF_RE2_ALONE.exec(pattern)?.[0];
  if (foreign !== undefined) throw new Error(`'${foreign}' of RE2 is not supported`);
  return new RegExp(pattern, 'i');
}

/** Names of parameters that mean something of their own, as Triton has them. */
const RESERVED: ReadonlySet<string> = new Set([
  'sequence_id',
  'sequence_start',
  'sequence_end',
  'priority',
  'timeout',
  'headers',
  'binary_data_output',
]);

/**
 * Collects the headers of one request whose names match. Undefined: none has. A name that comes twice has its values with
 * a comma between.
 */
export class ForwardedHeaders {
  readonly #pattern: RegExp;
  #found: Record<string, string> | undefined;

  constructor(pattern: RegExp) {
    this.#pattern = pattern;
  }

  /** `name` in lower case. Throws MALFORMED_REQUEST where a matching one is reserved. */
  add(name: string, value: string): void {
    if (!this.#pattern.test(name)) return;
    if (RESERVED.has(name) || name.startsWith('triton_'))
      throw new ServingError('MALFORMED_REQUEST', `header '${name}' is reserved: it is not forwarded as a parameter`);
    this.#found ??= Object.create(null) as Record<string, string>;
    const before = this.#found[name];
    this.#found[name] = before === undefined ? value : `${before}, ${value}`;
  }

  get found(): Parameters | undefined {
    return this.#found;
  }
}

/** The parameters of a body with those that headers made: a header goes before a parameter of its name, as in Triton. */
export function withForwarded(parameters: Parameters, caller: CallerTraits | undefined): Parameters {
  const forwarded = caller?.forwarded;
  if (forwarded === undefined) return parameters;
  return Object.assign(Object.create(null) as Record<string, Parameters[string]>, parameters, forwarded);
}
