import type { IncomingHttpHeaders } from 'node:http2';
import { promisify } from 'node:util';
import { deflate, deflateSync, gunzip, gunzipSync, gzip, gzipSync, inflate, inflateSync } from 'node:zlib';
import { type Offload, ServingError } from '../../../../core/index.js';

export type MessageEncoding = 'gzip' | 'deflate';

/** What a client may compress with; sent with every answer. */
export const ACCEPTED_ENCODINGS = 'identity,deflate,gzip';

/** Inflated and deflated at once up to this (about 100 us); what is larger leaves the event loop. */
const AT_ONCE_BYTES = 16 * 1024;

/** An answer below this is not worth compressing. */
const COMPRESSED_FROM_BYTES = 1024;

const BY_ENCODING = {
  gzip: { inflate: promisify(gunzip), inflateSync: gunzipSync, deflate: gzip, deflateSync: gzipSync },
  deflate: { inflate: promisify(inflate), inflateSync, deflate, deflateSync },
} as const;

/** The `grpc-encoding` of a call; undefined where it has none. Throws UNSUPPORTED for one that is not known. */
export function requestEncoding(headers: IncomingHttpHeaders): MessageEncoding | undefined {
  const encoding = headers['grpc-encoding'];
  if (encoding === undefined || encoding === 'identity') return undefined;
  if (encoding === 'gzip' || encoding === 'deflate') return encoding;
  throw new ServingError(
    'UNSUPPORTED',
    `grpc-encoding ${JSON.stringify(encoding).slice(0, 40)} is not supported; expected one of ${ACCEPTED_ENCODINGS}`,
  );
}

/** How to compress an answer: as the client compressed its request, where it accepts that too. */
export function replyEncoding(
  headers: IncomingHttpHeaders,
  encoding: MessageEncoding | undefined,
): MessageEncoding | undefined {
  if (encoding === undefined) return undefined;
  const accepted = String(headers['grpc-accept-encoding'] ?? '').split(',');
  return accepted.some((name) => name.trim() === encoding) ? encoding : undefined;
}

/**
 * A compressed message as it was; at once where both forms are small, else by the offload's threads (without one, by
 * zlib's). Throws or rejects with BODY_TOO_LARGE past `maxBytes`, MALFORMED_REQUEST where it is broken.
 */
export function inflateMessage(
  encoding: MessageEncoding,
  body: Buffer,
  maxBytes: number,
  offload: Offload | undefined,
): Buffer | Promise<Buffer> {
  if (body.byteLength <= AT_ONCE_BYTES) {
    try {
      return BY_ENCODING[encoding].inflateSync(body, { maxOutputLength: Math.min(maxBytes, 4 * AT_ONCE_BYTES) });
    } catch (cause) {
      if (!isTooLarge(cause) || maxBytes <= 4 * AT_ONCE_BYTES) throw inflateError(cause, maxBytes);
    }
  }
  return offload === undefined ? inflateByZlib(encoding, body, maxBytes) : inflateBy(offload, encoding, body, maxBytes);
}

/** Compresses an answer for speed. `then` may be called at once; with undefined where it stays as it is. */
export function compressAnswer(
  encoding: MessageEncoding,
  message: Buffer,
  then: (compressed: Buffer | undefined) => void,
): void {
  if (message.byteLength < COMPRESSED_FROM_BYTES) then(undefined);
  else if (message.byteLength <= AT_ONCE_BYTES) then(BY_ENCODING[encoding].deflateSync(message, { level: 1 }));
  else {
    BY_ENCODING[encoding].deflate(message, { level: 1 }, (error, bytes) => then(error === null ? bytes : undefined));
  }
}

async function inflateBy(offload: Offload, encoding: MessageEncoding, body: Buffer, maxBytes: number): Promise<Buffer> {
  const bytes = await offload.run('decompress', { encoding, body, maxBytes });
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function inflateByZlib(encoding: MessageEncoding, body: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return (await BY_ENCODING[encoding].inflate(body, { maxOutputLength: maxBytes })) as Buffer;
  } catch (cause) {
    throw inflateError(cause, maxBytes);
  }
}

function isTooLarge(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
}

function inflateError(cause: unknown, maxBytes: number): ServingError {
  return isTooLarge(cause)
    ? new ServingError('BODY_TOO_LARGE', `a message may have at most ${maxBytes} bytes, this one inflates to more`)
    : new ServingError('MALFORMED_REQUEST', 'the call cannot be received: a compressed message is broken', { cause });
}
