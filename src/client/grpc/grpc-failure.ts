import { type ServiceError, status } from '@grpc/grpc-js';
import { clientError, PenstockError } from '../client-error.js';

/** The HTTP status that means what a gRPC status does. */
const STATUS_OF_CODE: Readonly<Partial<Record<number, number>>> = {
  [status.CANCELLED]: 499,
  [status.INVALID_ARGUMENT]: 400,
  [status.DEADLINE_EXCEEDED]: 504,
  [status.NOT_FOUND]: 404,
  [status.ALREADY_EXISTS]: 409,
  [status.PERMISSION_DENIED]: 403,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.FAILED_PRECONDITION]: 400,
  [status.ABORTED]: 409,
  [status.UNIMPLEMENTED]: 501,
  [status.UNAVAILABLE]: 503,
  [status.UNAUTHENTICATED]: 401,
};

/** The failure of a call. Without the server's reason it is one on the way: no connection, or the deadline on this side. */
export function failureOfCall(error: ServiceError): PenstockError {
  const { code, details, metadata } = error;
  const reason = String(metadata.get('x-penstock-reason')[0] ?? '');
  if (reason === '' && code === status.UNAVAILABLE) return clientError('UNREACHABLE', details, error);
  if (reason === '' && code === status.DEADLINE_EXCEEDED) return clientError('TIMEOUT', 'no answer in time', error);
  const pushback = Number(metadata.get('grpc-retry-pushback-ms')[0] ?? Number.NaN);
  return new PenstockError(details, {
    status: STATUS_OF_CODE[code] ?? 500,
    reason,
    retryAfterMs: pushback >= 0 ? pushback : undefined,
    cause: error,
  });
}
