import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Reason, ServingError } from '../../../core/index.js';
import { decompress } from './decompress.js';

function reasonOf(run: () => unknown): Reason | undefined {
  try {
    run();
  } catch (error) {
    return (error as ServingError).reason;
  }
  return undefined;
}

describe('decompress', () => {
  it('inflates gzip, zlib and raw deflate to the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), (bytes) => {
        const maxBytes = bytes.byteLength;
        for (const body of [deflateSync(bytes), deflateRawSync(bytes)]) {
          expect(Buffer.compare(decompress({ encoding: 'deflate', body, maxBytes }), bytes)).toBe(0);
        }
        expect(Buffer.compare(decompress({ encoding: 'gzip', body: gzipSync(bytes), maxBytes }), bytes)).toBe(0);
      }),
    );
  });

  it('takes exactly the limit and refuses one byte more', () => {
    const body = gzipSync(new Uint8Array(1000));
    expect(decompress({ encoding: 'gzip', body, maxBytes: 1000 }).byteLength).toBe(1000);
    expect(reasonOf(() => decompress({ encoding: 'gzip', body, maxBytes: 999 }))).toBe('BODY_TOO_LARGE');
    expect(reasonOf(() => decompress({ encoding: 'gzip', body: gzipSync('a'), maxBytes: 0 }))).toBe('BODY_TOO_LARGE');
  });

  it('refuses a bomb without inflating it whole', () => {
    const body = gzipSync(new Uint8Array(64 * 1024 * 1024));
    const before = process.memoryUsage().arrayBuffers;
    expect(reasonOf(() => decompress({ encoding: 'gzip', body, maxBytes: 1024 }))).toBe('BODY_TOO_LARGE');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  });

  it('refuses what is cut short, altered or not compressed at all', () => {
    const body = gzipSync('a good body, long enough to be cut');
    const altered = Uint8Array.from(body);
    altered[altered.length - 6] = (altered[altered.length - 6] as number) ^ 1;
    for (const broken of [body.subarray(0, 20), altered, Buffer.from('{"inputs":[]}'), new Uint8Array(0)]) {
      expect(reasonOf(() => decompress({ encoding: 'gzip', body: broken, maxBytes: 1000 }))).toBe('MALFORMED_REQUEST');
      expect(reasonOf(() => decompress({ encoding: 'deflate', body: broken, maxBytes: 1000 }))).toBe(
        'MALFORMED_REQUEST',
      );
    }
  });
});
