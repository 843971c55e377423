import type { Reason } from '../../core/index.js';

/** Whose fault a failed request is, as a rollout counts it: `server` counts as an error, the others not at all. */
export type Blame = 'server' | 'caller' | 'tenant' | 'nobody';

/** For every reason. What the server refuses to all alike (a wrong route, a body too large) never reaches a version. */
export const BLAME = {
  MALFORMED_REQUEST: 'caller',
  UNKNOWN_INPUT: 'caller',
  MISSING_INPUT: 'caller',
  UNKNOWN_OUTPUT: 'caller',
  DATA_TYPE_MISMATCH: 'caller',
  SHAPE_MISMATCH: 'caller',
  MODEL_INVALID: 'server',
  FAILED_PRECONDITION: 'caller',
  BODY_TOO_LARGE: 'caller',
  HEADERS_TOO_LARGE: 'caller',
  UNSUPPORTED_MEDIA: 'caller',
  MODEL_NOT_FOUND: 'caller',
  VERSION_NOT_FOUND: 'caller',
  ROUTE_NOT_FOUND: 'caller',
  METHOD_NOT_ALLOWED: 'caller',
  VERSION_NOT_READY: 'server',
  DRAINING: 'nobody',
  EXECUTOR_LOST: 'server',
  QUEUE_FULL: 'server',
  OVERLOADED: 'server',
  RATE_LIMITED: 'tenant',
  QUOTA_EXCEEDED: 'tenant',
  DEADLINE_EXCEEDED: 'server',
  CLIENT_CANCELLED: 'nobody',
  BACKEND_FAILED: 'server',
  OUT_OF_MEMORY: 'server',
  OUTPUT_SHAPE_MISMATCH: 'server',
  INTERNAL: 'server',
  ALREADY_EXISTS: 'caller',
  CONFLICT: 'caller',
  UNSUPPORTED: 'caller',
  UNAUTHENTICATED: 'caller',
  BLOCKED: 'caller',
  RESTRICTED: 'caller',
  FORBIDDEN: 'caller',
} as const satisfies Record<Reason, Blame>;
