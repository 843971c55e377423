import { readFileSync } from 'node:fs';
import type { ServerConfig } from '../config/index.js';
import { ServingError } from '../core/index.js';
import { type GatePolicy, type MinisignKey, readPublicKey } from '../gates/index.js';

/** What a configuration asks of versions. Throws MALFORMED_REQUEST for a key that cannot be read, and signatures without keys. */
export function gatePolicy({ gates }: ServerConfig): GatePolicy {
  if (gates.requireSignature && gates.publicKeys.length === 0) {
    throw new ServingError('MALFORMED_REQUEST', 'gates.requireSignature needs the keys that count (gates.publicKeys)');
  }
  return { ...gates, keys: gates.publicKeys.map(keyIn) };
}

function keyIn(file: string): MinisignKey {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ServingError('MALFORMED_REQUEST', `${file}: the public key cannot be read (${code})`, { cause });
  }
  return readPublicKey(text, file);
}
