import { ServingError } from '../../../core/index.js';

/** A body as text. Throws MALFORMED_REQUEST. */
export function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (thrown) {
    throw new ServingError('MALFORMED_REQUEST', 'the request body is not text in UTF-8', { cause: thrown });
  }
}

/** A body that is a JSON object, empty where there is none. Throws MALFORMED_REQUEST. */
export function jsonObject(body: string): Readonly<Record<string, unknown>> {
  if (body === '') return NO_FIELDS;
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (thrown) {
    throw new ServingError('MALFORMED_REQUEST', 'the request body is not JSON', { cause: thrown });
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
  throw new ServingError('MALFORMED_REQUEST', 'the request body is not a JSON object');
}

const NO_FIELDS: Readonly<Record<string, unknown>> = Object.freeze({});
