import { type Reason, ServingError, toServingError } from '../../core/index.js';

/** A `ServingError` as a message between threads. */
export interface WireError {
  readonly reason: Reason;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
  /** For the log of the other side, as text: an error of any class and whatever hangs on it. */
  readonly cause: string | undefined;
}

export function wireError(thrown: unknown): WireError {
  const { reason, message, retryAfterMs, cause } = toServingError(thrown);
  return { reason, message, retryAfterMs, cause: cause === undefined ? undefined : causeText(cause) };
}

export function errorOfWire({ reason, message, retryAfterMs, cause }: WireError): ServingError {
  return new ServingError(reason, message, {
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** An error with its stack and causes, anything else as text. */
export function causeText(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const text = cause.stack ?? String(cause);
  return cause.cause === undefined ? text : `${text}\ncaused by ${causeText(cause.cause)}`;
}
