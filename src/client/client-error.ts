/** Reasons of failures that no server told: what became of the request is not known, but where nothing was sent. */
export type ClientReason =
  /** `timeoutMs` is over. */
  | 'TIMEOUT'
  /** The caller's `signal` was aborted, or a stream was closed. */
  | 'ABORTED'
  /** No connection, or it broke. */
  | 'UNREACHABLE'
  /** The answer is not what the protocol says. */
  | 'BAD_ANSWER'
  /** The request cannot be sent as it is. Nothing was sent. */
  | 'BAD_REQUEST'
  /** More requests wait than `maxWaiting` lets. Nothing was sent. */
  | 'TOO_MANY_WAITING'
  /** More of an answer came than is kept for a loop that does not take it, over a socket that cannot wait (browsers). */
  | 'TOO_MUCH_UNREAD';

export interface ClientErrorFacts {
  /** HTTP status of the answer (of gRPC: the one that means the same); 0 where there was no answer. */
  readonly status: number;
  /** A reason of the server's table of errors (`QUEUE_FULL` ...), or one of `ClientReason`; empty where nobody told. */
  readonly reason: string;
  /** In how many milliseconds a retry may help; undefined where the server does not say. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** Every failure of a call. `message` is the server's, or says what failed here. */
export class PenstockError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { status, reason, retryAfterMs, cause }: ClientErrorFacts) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PenstockError';
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A failure on this side. */
export function clientError(reason: ClientReason, message: string, cause?: unknown): PenstockError {
  return new PenstockError(message, { status: 0, reason, cause });
}

/** The refusal of a request that cannot be sent as it is. */
export function badRequest(message: string): PenstockError {
  return clientError('BAD_REQUEST', message);
}

/** An answer that is not what the protocol says. */
export function badAnswer(message: string, cause?: unknown): PenstockError {
  return clientError('BAD_ANSWER', message, cause);
}
