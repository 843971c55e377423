import {
  GRPC_CODE_NUMBERS,
  type Log,
  type RequestTrace,
  type ServingError,
  toServingError,
} from '../../../core/index.js';
import { aboutRequest } from '../request-trace.js';

/** Longest message sent: all trailers of a call together have to fit into 8 KiB at most clients. */
const MAX_DETAILS = 2000;

/**
 * The status of an error, as trailers: code and message by the table of errors, the reason as `x-penstock-reason`, and where a retry
 * may help `grpc-retry-pushback-ms`, which clients with a retry policy obey (gRFC A6).
 */
export function statusOf(error: ServingError): Record<string, string> {
  const trailers: Record<string, string> = {
    'grpc-status': String(GRPC_CODE_NUMBERS[error.facts.grpc]),
    'grpc-message': percentEncoded(sendableText(error.message)),
    'x-penstock-reason': error.reason,
  };
  if (error.retryAfterMs !== undefined) trailers['grpc-retry-pushback-ms'] = String(Math.ceil(error.retryAfterMs));
  return trailers;
}

/** Anything thrown while a call was served, as its error; what is our own fault goes to the log with its cause. `requestId` and `trace`, where known: which request it was. */
export function failureOf(
  thrown: unknown,
  method: string,
  log: Log,
  requestId = '',
  trace?: RequestTrace,
): ServingError {
  const error = toServingError(thrown);
  if (error.facts.logLevel === 'error') {
    const { reason, message, cause } = error;
    log.error('gRPC call failed', { method, reason, message, ...aboutRequest(requestId, trace), cause });
  }
  return error;
}

/** Whole Unicode only: half a surrogate pair can be written neither into a message nor as a status. */
export function sendableText(text: string): string {
  const short = text.length > MAX_DETAILS ? `${text.slice(0, MAX_DETAILS)}...` : text;
  return short.replace(/\p{Cs}/gu, '\ufffd');
}

/** gRPC's form of `grpc-message`: printable ASCII less `%`, all else as UTF-8 bytes; HTTP/2 allows no space at the ends. */
function percentEncoded(text: string): string {
  return text.replace(/[^ -$&-~]|^ | $/gu, encodeURIComponent);
}
