import { gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import { type OffloadTasks, ServingError } from '../../../core/index.js';

/**
 * Inflates a whole body, for a worker thread. `deflate` takes the zlib form (RFC 1950, what HTTP means by it) and the raw
 * one (RFC 1951, what many clients send). Throws BODY_TOO_LARGE past `maxBytes`, MALFORMED_REQUEST where the stream is
 * broken or cut short. The result owns its buffer.
 */
export function decompress({ encoding, body, maxBytes }: OffloadTasks['decompress']['input']): Uint8Array {
  const inflate = encoding === 'gzip' ? gunzipSync : isZlib(body) ? inflateSync : inflateRawSync;
  let inflated: Buffer;
  try {
    // zlib takes no limit of 0; the check below refuses the one byte more.
    inflated = inflate(body, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(encoding, maxBytes);
    throw new ServingError('MALFORMED_REQUEST', `the ${encoding} body is broken: ${message}`);
  }
  if (inflated.byteLength > maxBytes) throw tooLarge(encoding, maxBytes);
  return inflated;
}

function tooLarge(encoding: string, maxBytes: number): ServingError {
  return new ServingError(
    'BODY_TOO_LARGE',
    `the ${encoding} body inflates to more than the limit of ${maxBytes} bytes`,
  );
}

/** RFC 1950: method 8 in the low bits, and a header that is a multiple of 31. */
function isZlib(body: Uint8Array): boolean {
  const [first = 0, second = 0] = body;
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
}
