import { STATUS_CODES } from 'node:http';
import { ERRORS, REASONS, type Reason } from '../../../core/index.js';

const lines = new Map<number, string>();

/** Status line of every reason, rendered once: `404 Not Found`. */
export const STATUS_OF_REASON = Object.fromEntries(
  REASONS.map((reason) => [reason, statusLine(ERRORS[reason].http)]),
) as Readonly<Record<Reason, string>>;

/** `200 OK`. 499 has no registered name; it is written to logs of proxies only, its client is gone. */
export function statusLine(status: number): string {
  let line = lines.get(status);
  if (line === undefined) {
    line = `${status} ${STATUS_CODES[status] ?? 'Client Closed Request'}`;
    lines.set(status, line);
  }
  return line;
}
