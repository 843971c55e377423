import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ServingError } from '../core/index.js';

/** Fewest bytes of a secret (Standard Webhooks: 24 to 64). */
const LEAST_SECRET_BYTES = 24;
const PREFIX = 'whsec_';

/**
 * The headers of Standard Webhooks (standardwebhooks.com) for a body: the receiver computes the HMAC-SHA256 of
 * `ID.TIMESTAMP.BODY` anew, and refuses old timestamps.
 */
export function signedHeaders(
  secret: Buffer,
  id: string,
  atMs: number,
  body: string,
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(atMs / 1000));
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

/** A secret as `whsec_` and base64, or as plain text. Throws MALFORMED_REQUEST where the file has none that is long enough. */
export function readSecret(file: string): Buffer {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw new ServingError('MALFORMED_REQUEST', `${file}: the secret of a webhook cannot be read (${code})`, {
      cause: thrown,
    });
  }
  const secret = text.startsWith(PREFIX) ? Buffer.from(text.slice(PREFIX.length), 'base64') : Buffer.from(text);
  if (secret.byteLength >= LEAST_SECRET_BYTES) return secret;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `${file}: the secret of a webhook has at least ${LEAST_SECRET_BYTES} bytes, this has ${secret.byteLength}`,
  );
}
