import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { ServingError } from '../core/index.js';

/** The token of the admin calls, known here by its hash alone. */
export interface AdminToken {
  /** Compares in constant time. */
  verify(token: string): boolean;
  /** A sentence for the operator where a token was made, to be shown once. */
  readonly notice: string | undefined;
}

/**
 * Reads the token from `file`. Where the file does not exist, a new token is made and written there, readable by its
 * owner alone; without a file the new token lives as long as the process and its notice tells it. Throws
 * MALFORMED_REQUEST where the file cannot be read or holds no token.
 */
export function adminToken(file: string | undefined): AdminToken {
  if (file === undefined) {
    const token = randomBytes(24).toString('base64url');
    return { verify: verifier(token), notice: `admin token of this run (for calls from other machines): ${token}` };
  }
  const stored = read(file);
  if (stored === undefined) {
    const token = randomBytes(24).toString('base64url');
    writeFileSync(file, `${token}\n`, { mode: 0o600, flag: 'wx' });
    return { verify: verifier(token), notice: `a new admin token was written to ${file}` };
  }
  if (stored.length < 16) {
    throw new ServingError(
      'MALFORMED_REQUEST',
      `${file}: an admin token has at least 16 characters, this has ${stored.length}`,
    );
  }
  return { verify: verifier(stored), notice: undefined };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new ServingError('MALFORMED_REQUEST', `${file}: the admin token cannot be read (${code})`, { cause: thrown });
  }
}

function verifier(token: string): (candidate: string) => boolean {
  const expected = hash(token);
  return (candidate) => timingSafeEqual(hash(candidate), expected);
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
