/**
 * The one table of errors. A reason is stable: it stands in replies, logs and metric labels. Every transport, the
 * documentation and the retry hints read this table; no other file writes a status number.
 */

export type GrpcCode =
  | 'CANCELLED'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILED_PRECONDITION'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'UNAUTHENTICATED';

/** Numbers of the gRPC status codes used here (gRPC `statuscodes.md`). */
export const GRPC_CODE_NUMBERS = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const satisfies Record<GrpcCode, number>;

export interface ErrorFacts {
  readonly grpc: GrpcCode;
  readonly http: number;
  /** `no`: sending it again unchanged cannot help. `backoff`: later it may. `caller`: up to the caller. */
  readonly retry: 'no' | 'backoff' | 'caller';
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

const NO_400: ErrorFacts = { grpc: 'INVALID_ARGUMENT', http: 400, retry: 'no', logLevel: 'debug' };
const NOT_FOUND: ErrorFacts = { grpc: 'NOT_FOUND', http: 404, retry: 'no', logLevel: 'debug' };
const UNAVAILABLE: ErrorFacts = { grpc: 'UNAVAILABLE', http: 503, retry: 'backoff', logLevel: 'info' };
const TENANT_LIMIT: ErrorFacts = { grpc: 'RESOURCE_EXHAUSTED', http: 429, retry: 'backoff', logLevel: 'info' };
const OURS: ErrorFacts = { grpc: 'INTERNAL', http: 500, retry: 'no', logLevel: 'error' };

export const ERRORS = {
  MALFORMED_REQUEST: NO_400,
  UNKNOWN_INPUT: NO_400,
  MISSING_INPUT: NO_400,
  UNKNOWN_OUTPUT: NO_400,
  DATA_TYPE_MISMATCH: NO_400,
  SHAPE_MISMATCH: NO_400,
  MODEL_INVALID: NO_400,
  /** Fits by itself, and not what stands: a label for a version that does not serve. */
  FAILED_PRECONDITION: { ...NO_400, grpc: 'FAILED_PRECONDITION' },
  BODY_TOO_LARGE: { grpc: 'RESOURCE_EXHAUSTED', http: 413, retry: 'no', logLevel: 'debug' },
  HEADERS_TOO_LARGE: { grpc: 'RESOURCE_EXHAUSTED', http: 431, retry: 'no', logLevel: 'debug' },
  UNSUPPORTED_MEDIA: { grpc: 'INVALID_ARGUMENT', http: 415, retry: 'no', logLevel: 'debug' },
  MODEL_NOT_FOUND: NOT_FOUND,
  VERSION_NOT_FOUND: NOT_FOUND,
  ROUTE_NOT_FOUND: NOT_FOUND,
  METHOD_NOT_ALLOWED: { grpc: 'UNIMPLEMENTED', http: 405, retry: 'no', logLevel: 'debug' },
  VERSION_NOT_READY: UNAVAILABLE,
  DRAINING: UNAVAILABLE,
  EXECUTOR_LOST: { ...UNAVAILABLE, logLevel: 'error' },
  QUEUE_FULL: UNAVAILABLE,
  OVERLOADED: UNAVAILABLE,
  RATE_LIMITED: TENANT_LIMIT,
  QUOTA_EXCEEDED: TENANT_LIMIT,
  DEADLINE_EXCEEDED: { grpc: 'DEADLINE_EXCEEDED', http: 504, retry: 'caller', logLevel: 'debug' },
  CLIENT_CANCELLED: { grpc: 'CANCELLED', http: 499, retry: 'no', logLevel: 'debug' },
  BACKEND_FAILED: OURS,
  /** Of the machine or the device, where a protocol asks for it apart from other failures. */
  OUT_OF_MEMORY: { grpc: 'RESOURCE_EXHAUSTED', http: 507, retry: 'no', logLevel: 'error' },
  OUTPUT_SHAPE_MISMATCH: OURS,
  INTERNAL: OURS,
  ALREADY_EXISTS: { grpc: 'ALREADY_EXISTS', http: 409, retry: 'no', logLevel: 'debug' },
  CONFLICT: { grpc: 'ABORTED', http: 409, retry: 'no', logLevel: 'info' },
  UNSUPPORTED: { grpc: 'UNIMPLEMENTED', http: 501, retry: 'no', logLevel: 'info' },
  UNAUTHENTICATED: { grpc: 'UNAUTHENTICATED', http: 401, retry: 'no', logLevel: 'info' },
  /** An operator's filter takes the request. */
  BLOCKED: { grpc: 'PERMISSION_DENIED', http: 403, retry: 'no', logLevel: 'debug' },
  /** An API that the operator keeps for who knows its key. */
  RESTRICTED: { grpc: 'PERMISSION_DENIED', http: 403, retry: 'no', logLevel: 'debug' },
  FORBIDDEN: { grpc: 'PERMISSION_DENIED', http: 403, retry: 'no', logLevel: 'info' },
} as const satisfies Record<string, ErrorFacts>;

export type Reason = keyof typeof ERRORS;

/** Whether a request failed for no fault of its caller, so that it may be tried elsewhere; a deadline that passed is over. */
export function isServersFault(reason: Reason): boolean {
  const { http }: ErrorFacts = ERRORS[reason];
  return http === 500 || http === 503;
}

/** Whether the version failed itself, and was not only asked too much or not there yet. */
export function isVersionsFault(reason: Reason): boolean {
  const { http }: ErrorFacts = ERRORS[reason];
  return http === 500 || reason === 'EXECUTOR_LOST';
}

/** Whether a failure counts against an objective of availability: the server did not answer, or not in time. */
export function spendsErrorBudget(reason: Reason): boolean {
  const { http }: ErrorFacts = ERRORS[reason];
  return http === 504 || isServersFault(reason);
}

/** The reasons in table order; a reason's index is its slot in typed arrays of counters. */
export const REASONS = Object.keys(ERRORS) as readonly Reason[];

export interface ServingErrorOptions {
  /** For the log only; never sent to a caller. */
  readonly cause?: unknown;
  /** When a retry may succeed, in milliseconds from now; default 1000 where the table says `backoff`. */
  readonly retryAfterMs?: number;
}

/** The one error class. `message` goes to the caller: what was expected, what came, and where; `cause` to the log. */
export class ServingError extends Error {
  readonly reason: Reason;
  readonly retryAfterMs: number | undefined;

  constructor(reason: Reason, message: string, options: ServingErrorOptions = {}) {
    // A refusal is an answer, made by the thousand under overload: where it was made says nothing, and costs ten times the rest.
    const { stackTraceLimit } = Error;
    if (ERRORS[reason].logLevel !== 'error') Error.stackTraceLimit = 0;
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'ServingError';
    this.reason = reason;
    this.retryAfterMs = ERRORS[reason].retry === 'backoff' ? (options.retryAfterMs ?? 1000) : undefined;
  }

  get facts(): ErrorFacts {
    return ERRORS[this.reason];
  }
}

/** Anything thrown, as a `ServingError`: a foreign error becomes `INTERNAL` with a fixed message, itself as the cause. */
export function toServingError(thrown: unknown): ServingError {
  if (thrown instanceof ServingError) return thrown;
  return new ServingError('INTERNAL', 'internal error; the log of the server has the cause', { cause: thrown });
}
