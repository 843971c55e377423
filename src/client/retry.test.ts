import { describe, expect, it } from 'vitest';
import { PenstockError } from './client-error.js';
import { pauseBeforeRetry, retryAfterMs } from './retry.js';

const refusal = (status: number, retryAfterMs?: number, reason = 'QUEUE_FULL') =>
  new PenstockError('no', { status, reason, retryAfterMs });

describe('what is tried again', () => {
  it.each([
    ['a refusal that says when', refusal(503, 1000), 1, 60_000, {}, true],
    ['one over a limit', refusal(429, 0), 1, 60_000, {}, true],
    ['one that does not say when', refusal(503), 1, 60_000, {}, false],
    ['a request that may have begun to run', refusal(503, 1000, 'EXECUTOR_LOST'), 1, 60_000, {}, false],
    ['a failure inside the model', refusal(500, 1000), 1, 60_000, {}, false],
    ['a broken connection', refusal(0, undefined, 'UNREACHABLE'), 1, 60_000, {}, false],
    ['the third failure', refusal(503, 1000), 3, 60_000, {}, false],
    ['the third failure of five', refusal(503, 1000), 3, 60_000, { attempts: 5 }, true],
    ['what is to wait longer than one waits', refusal(503, 11_000), 1, 60_000, {}, false],
    ['what is to wait longer than there is time', refusal(503, 5000), 1, 4000, {}, false],
  ] as const)('%s', (_what, error, attempt, leftMs, policy, again) => {
    const pauseMs = pauseBeforeRetry(error, attempt, leftMs, policy);
    expect(pauseMs !== undefined).toBe(again);
    if (pauseMs === undefined) return;
    expect(pauseMs).toBeGreaterThanOrEqual(error.retryAfterMs as number);
    expect(pauseMs).toBeLessThanOrEqual((error.retryAfterMs as number) * 1.5);
  });

  it('reads Retry-After as seconds and as a date', () => {
    const nowMs = Date.parse('Sat, 21 Nov 2026 20:00:00 GMT');
    const read = (header: string | null) => retryAfterMs(header, nowMs);
    expect([read('2'), read('0'), read('Sat, 21 Nov 2026 20:00:05 GMT')]).toEqual([2000, 0, 5000]);
    expect(read('Sat, 21 Nov 2026 19:00:00 GMT')).toBe(0);
    expect([read(null), read(''), read('soon')]).toEqual([undefined, undefined, undefined]);
  });
});
