import { NO_DEADLINE, ServingError } from '../../../../core/index.js';

const NS_OF_UNIT: Readonly<Record<string, number>> = { H: 3.6e12, M: 6e10, S: 1e9, m: 1e6, u: 1e3, n: 1 };

/**
 * `grpc-timeout` (one to eight digits and a unit) as the monotonic instant it ends at; `NO_DEADLINE` where a call has
 * none. Throws MALFORMED_REQUEST.
 */
export function deadlineNsOf(timeout: string | undefined, nowNs: number): number {
  if (timeout === undefined) return NO_DEADLINE;
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(timeout) ?? [];
  if (digits === undefined || unit === undefined) {
    const came = JSON.stringify(timeout.slice(0, 40));
    throw new ServingError(
      'MALFORMED_REQUEST',
      `grpc-timeout: expected up to 8 digits and H, M, S, m, u or n, came ${came}`,
    );
  }
  return nowNs + Number(digits) * (NS_OF_UNIT[unit] as number);
}
