import { promisify } from 'node:util';
import { constants, deflate, gzip } from 'node:zlib';

export type ReplyEncoding = 'gzip' | 'deflate';

/** Below this a reply is sent as it is: compressing it costs more than the bytes it saves. */
const MIN_COMPRESSED_BYTES = 4096;

const COMPRESSORS = { gzip: promisify(gzip), deflate: promisify(deflate) } as const satisfies Record<
  ReplyEncoding,
  unknown
>;

/** The encoding a reply of that size gets for an `Accept-Encoding` header; undefined = none. Prefers gzip. */
export function replyEncoding(acceptEncoding: string, bodyBytes: number): ReplyEncoding | undefined {
  if (acceptEncoding === '' || bodyBytes < MIN_COMPRESSED_BYTES) return undefined;
  if (accepts(acceptEncoding, 'gzip')) return 'gzip';
  return accepts(acceptEncoding, 'deflate') ? 'deflate' : undefined;
}

/** Compresses on a pool thread, for speed rather than size. `deflate` is the zlib form (RFC 9110, 8.4.1.2). */
export function compressReply(encoding: ReplyEncoding, body: Uint8Array): Promise<Uint8Array> {
  return COMPRESSORS[encoding](body, { level: constants.Z_BEST_SPEED });
}

function accepts(header: string, encoding: ReplyEncoding): boolean {
  for (const part of header.split(',')) {
    const [name, ...parameters] = part
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/);
    if (name === encoding) return !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  }
  return false;
}
