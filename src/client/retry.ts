import type { PenstockError } from './client-error.js';
import type { CallOptions } from './protocol.js';
import { TimeLimit } from './time-limit.js';

/**
 * Which refusals are tried again. Only those that the server made before it ran anything (429 and 503 with `Retry-After`): no
 * request is ever run twice. Off: `{ attempts: 1 }`.
 */
export interface RetryPolicy {
  /** Tries in all; default 3. */
  readonly attempts?: number;
  /** A server that wants a longer pause is not asked again; milliseconds, default 10,000. */
  readonly maxPauseMs?: number;
}

/** What a client says of all its calls. */
export interface CallDefaults {
  /** Of a call, retries included, in milliseconds; 0 = no limit; default 60,000. The server is told. */
  readonly timeoutMs?: number;
  readonly retry?: RetryPolicy;
}

/** Milliseconds of a call, where nobody says. */
const DEFAULT_TIMEOUT_MS = 60_000;

/** The time of a call in milliseconds: its own, else that of the client. */
export function timeoutOf({ timeoutMs }: CallOptions, defaults: CallDefaults): number {
  return timeoutMs ?? defaults.timeoutMs ?? DEFAULT_TIMEOUT_MS;
}

/** One call with its retries: `attempt` is made until it resolves, or fails for good. `address`: whom a failure names. */
export async function retried<T>(
  options: CallOptions,
  defaults: CallDefaults,
  address: string,
  attempt: (limit: TimeLimit) => Promise<T>,
): Promise<T> {
  const limit = new TimeLimit(timeoutOf(options, defaults), options.signal);
  try {
    return await retriedWithin(limit, defaults.retry, address, attempt);
  } finally {
    limit.end();
  }
}

/** The same in time that goes on after it. */
export async function retriedWithin<T>(
  limit: TimeLimit,
  retry: RetryPolicy | undefined,
  address: string,
  attempt: (limit: TimeLimit) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt(limit);
    } catch (thrown) {
      const failure = limit.failure(thrown, address);
      const pauseMs = pauseBeforeRetry(failure, tries, limit.leftMs, retry ?? {});
      if (pauseMs === undefined) throw failure;
      await limit.pause(pauseMs);
    }
  }
}

const REFUSED = new Set([429, 503]);
/** Of what is told as unavailable, this may have begun to run. */
const MAY_HAVE_RUN = 'EXECUTOR_LOST';

/**
 * Milliseconds until a call that failed is tried again, or undefined: it is not. The pause is what the server asks for and up to
 * half of it more, so that clients refused together do not come back together. `attempt` counts from 1; `leftMs`: of the call's time.
 */
export function pauseBeforeRetry(
  { status, reason, retryAfterMs }: PenstockError,
  attempt: number,
  leftMs: number,
  { attempts = 3, maxPauseMs = 10_000 }: RetryPolicy,
): number | undefined {
  if (attempt >= attempts || retryAfterMs === undefined) return undefined;
  if (!REFUSED.has(status) || reason === MAY_HAVE_RUN || retryAfterMs > maxPauseMs) return undefined;
  const pauseMs = retryAfterMs * (1 + Math.random() / 2);
  return pauseMs < leftMs ? pauseMs : undefined;
}

/** Milliseconds of a `Retry-After` header: seconds, or a date. Undefined where it says neither. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isNaN(seconds) ? Date.parse(header) - nowMs : seconds * 1000;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
