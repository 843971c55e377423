import { createHash, timingSafeEqual } from 'node:crypto';
import { type ApiGroup, type Restriction, ServingError } from '../../core/index.js';

/** What a call of a restricted group needs. */
export interface ApiKey {
  /** In lower case. */
  readonly header: string;
  /** Whether a header's value is the right one; takes the same time for every wrong one. */
  readonly opens: (value: string) => boolean;
  /** For a call without it. */
  readonly refusal: ServingError;
}

/** The key of each restricted group; `prefix` stands before the header's name on the wire. */
export function apiKeys(restrictions: readonly Restriction[], prefix: string, what: string): Map<ApiGroup, ApiKey> {
  const keys = new Map<ApiGroup, ApiKey>();
  for (const { groups, header: name, value } of restrictions) {
    const header = `${prefix}${name}`;
    const expected = digest(value);
    const refusal = new ServingError('RESTRICTED', `This ${what} is restricted, expecting header '${header}'`);
    const key = { header, opens: (came: string) => timingSafeEqual(digest(came), expected), refusal };
    for (const group of groups) keys.set(group, key);
  }
  return keys;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
