import type { Reason } from '../../../core/index.js';
import type { ApiKey } from '../restrictions.js';
import type { CallHandler } from './framing/method.js';
import type { ServerCall } from './framing/server-call.js';

/** Whether a call has the key of its group among its metadata, once. */
export function opens({ header, opens: fits }: ApiKey, { headers }: ServerCall): boolean {
  const value = headers[header];
  return typeof value === 'string' && fits(value);
}

/** The handler of a call without the key: it is refused, whatever it sends. */
export function refusing({ refusal }: ApiKey, call: ServerCall, told: (reason: Reason) => void): CallHandler {
  told(refusal.reason);
  // A turn later: a call cannot be answered before it is whole, and a stream may send nothing at all.
  setImmediate(() => call.fail(refusal));
  return { message: (_, lease) => lease?.release(), halfClosed() {}, cancelled() {} };
}
