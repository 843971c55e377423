import { Metadata } from '@grpc/grpc-js';
import { GRPC_CODE_NUMBERS, type Log, type ServingError, toServingError } from '../../../core/index.js';

/** The end of a call that failed, as grpc-js takes it. */
export interface FailedStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

/** Longest message sent: all trailers of a call together have to fit into 8 KiB at most clients. */
const MAX_DETAILS = 2000;

/**
 * The status of an error: code and message by the table of errors, the reason as `x-penstock-reason`, and where a retry
 * may help `grpc-retry-pushback-ms`, which clients with a retry policy obey (gRFC A6).
 */
export function statusOf(error: ServingError): FailedStatus {
  const metadata = new Metadata();
  metadata.set('x-penstock-reason', error.reason);
  if (error.retryAfterMs !== undefined) metadata.set('grpc-retry-pushback-ms', String(Math.ceil(error.retryAfterMs)));
  return { code: GRPC_CODE_NUMBERS[error.facts.grpc], details: sendableText(error.message), metadata };
}

/** Anything thrown while a call was served, as its error; what is our own fault goes to the log with its cause. */
export function failureOf(thrown: unknown, method: string, log: Log): ServingError {
  const error = toServingError(thrown);
  if (error.facts.logLevel === 'error') {
    log.error('gRPC call failed', { method, reason: error.reason, message: error.message, cause: error.cause });
  }
  return error;
}

/** Whole Unicode only: grpc-js percent-encodes the message with `encodeURI`, which throws on half a surrogate pair. */
export function sendableText(text: string): string {
  const short = text.length > MAX_DETAILS ? `${text.slice(0, MAX_DETAILS)}...` : text;
  return short.replace(/\p{Cs}/gu, '\ufffd');
}
