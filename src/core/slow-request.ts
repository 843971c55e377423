import type { Reason } from './errors.js';
import type { InferenceRequest, LatencyBreakdown, RouteMark } from './inference.js';
import type { ModelVersionId } from './model.js';
import type { Tenant } from './tenant.js';

/** A request that took `RequestMetrics.slowNs` or more, at the moment it was answered. */
export interface SlowRequest {
  readonly request: InferenceRequest;
  readonly id: ModelVersionId;
  readonly mark: RouteMark;
  readonly tenant: Tenant;
  readonly rows: number;
  /** From its first byte to its encoded reply. */
  readonly totalNs: number;
  /** Why it failed; undefined: it was answered. */
  readonly reason: Reason | undefined;
  /** Undefined: it was in no execution that ended well. */
  readonly execution: SlowExecution | undefined;
}

/** The execution of a slow request. */
export interface SlowExecution {
  readonly latency: LatencyBreakdown;
  /** Rows of it, and requests beside the slow one. */
  readonly batchRows: number;
  readonly batchMates: number;
  readonly paddingShare: number;
  /** `cpu`, `cuda:0` ... */
  readonly device: string;
}

/** Takes slow requests where they are answered. Must not throw, and keeps nothing of the request. */
export interface SlowRequests {
  /** Whether it is told, and not left out as one of too many. */
  note(slow: SlowRequest): boolean;
}
