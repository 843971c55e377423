import { ServingError, type TextInput, type TruncationDirection } from '../../../core/index.js';

/** A body's JSON object, its fields not checked yet. */
export type Fields = Readonly<Record<string, unknown>>;

const DECODER = new TextDecoder('utf-8', { fatal: true });

/** Reads a body as a JSON object. Throws MALFORMED_REQUEST. */
export function fieldsOf(body: Uint8Array): Fields {
  let json: unknown;
  try {
    json = JSON.parse(DECODER.decode(body));
  } catch (cause) {
    throw new ServingError('MALFORMED_REQUEST', `the body is no JSON: ${(cause as Error).message}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new ServingError('MALFORMED_REQUEST', `the body: expected a JSON object, found ${shown(json)}`);
  return json as Fields;
}

/** Names of fields stand first in messages, in quotes: an answer's `param` is read from there. */
export function refused(field: string, expected: string, found: unknown): ServingError {
  return new ServingError('MALFORMED_REQUEST', `'${field}': expected ${expected}, found ${shown(found)}`);
}

/** Nothing was sent where something has to be. */
export function empty(field: string): ServingError {
  return new ServingError('MISSING_INPUT', `'${field}': expected something, found nothing: it cannot be empty`);
}

export function tooMany(field: string, most: number, found: number): ServingError {
  return new ServingError('SHAPE_MISMATCH', `'${field}': expected at most ${most} texts, found ${found}`);
}

/** Null counts as absent, as clients send it. */
export function optional<T>(fields: Fields, name: string, check: (value: unknown, name: string) => T): T | undefined {
  const value = fields[name];
  return value === undefined || value === null ? undefined : check(value, name);
}

export function textOf(value: unknown, field: string): string {
  if (typeof value !== 'string') throw refused(field, 'a text', value);
  return value;
}

/** A text that is not empty. */
export function filledText(value: unknown, field: string): string {
  const text = textOf(value, field);
  if (text === '') throw empty(field);
  return text;
}

export function flagOf(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') throw refused(field, 'true or false', value);
  return value;
}

export function positiveOf(value: unknown, field: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw refused(field, 'a whole number from 1', value);
  return value as number;
}

export function directionOf(value: unknown, field: string): TruncationDirection {
  const side = typeof value === 'string' ? value.toLowerCase() : '';
  if (side !== 'left' && side !== 'right') throw refused(field, 'left or right', value);
  return side;
}

export function listOf(value: unknown, field: string, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw refused(field, 'a list', value);
  if (value.length === 0) throw empty(field);
  if (value.length > most) throw tooMany(field, most, value.length);
  return value;
}

/** Texts as OpenAI and text-embeddings-inference take them: one or several, each a text or the ids of its tokens. */
export interface Inputs {
  readonly texts: readonly TextInput[];
  /** One text that did not stand in a list. */
  readonly alone: boolean;
}

/** A text, a list of texts, a list of ids, or a list of lists of ids; texts and lists of ids may be mixed. */
export function inputsOf(value: unknown, field: string, most: number): Inputs {
  if (typeof value === 'string') return { texts: [filledText(value, field)], alone: true };
  if (!Array.isArray(value)) throw refused(field, 'a text, a list of texts or token ids', value);
  if (value.length === 0) throw empty(field);
  if (typeof value[0] === 'number') return { texts: [{ ids: idsOf(value, field) }], alone: true };
  if (value.length > most) throw tooMany(field, most, value.length);
  const texts = value.map((one, i) => {
    const place = `${field}[${i}]`;
    return Array.isArray(one) ? { ids: idsOf(one, place) } : filledText(one, place);
  });
  return { texts, alone: false };
}

export function idsOf(value: unknown, field: string): Int32Array {
  if (!Array.isArray(value)) throw refused(field, 'a list of token ids', value);
  if (value.length === 0) throw empty(field);
  const ids = new Int32Array(value.length);
  for (const [i, id] of value.entries()) {
    if (!Number.isInteger(id) || id < 0 || id > 0x7fff_ffff) throw refused(`${field}[${i}]`, 'a token id', id);
    ids[i] = id;
  }
  return ids;
}

/** A value as a message shows it. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 64 ? `${text.slice(0, 60)}..."` : text;
}
