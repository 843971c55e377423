import {
  type CallerTraits,
  type InferenceRequest,
  type Lease,
  type OutputRequest,
  type Parameters,
  type Tensor,
  withForwarded,
} from '../../core/index.js';
import { NO_PARAMETERS } from './request-parameters.js';

/** What headers and clock say of a request, over every protocol. */
export interface CallerContext {
  /** Monotonic nanoseconds; `NO_DEADLINE` where none. */
  readonly deadlineNs: number;
  readonly receivedNs: number;
  readonly nowNs: () => number;
  /** As headers or metadata name them; empty = they do not. */
  readonly tenantHeader?: string | undefined;
  readonly criticalityHeader?: string | undefined;
  readonly caller?: CallerTraits | undefined;
  /** What the body lies in; undefined: garbage-collected memory. */
  readonly lease?: Lease | undefined;
}

/** What path, headers and clock say of a request. */
export interface RequestContext extends CallerContext {
  readonly model: string;
  readonly version: number | undefined;
}

/** What a body says of its request; absent: nothing. */
export interface RequestParts {
  readonly inputs: readonly Tensor[];
  /** The body itself where it is one raw tensor. */
  readonly rawInput?: Uint8Array;
  readonly id?: string;
  readonly outputs?: readonly OutputRequest[];
  readonly parameters?: Parameters;
  readonly priority?: number;
  readonly timeoutUs?: number;
}

/** The request of a body: joins it with what path, headers and clock say. */
export function requestOfParts(context: RequestContext, parts: RequestParts): InferenceRequest {
  return {
    model: context.model,
    version: context.version,
    id: parts.id ?? '',
    inputs: parts.inputs,
    rawInput: parts.rawInput,
    lease: context.lease,
    outputs: parts.outputs ?? [],
    parameters: withForwarded(parts.parameters ?? NO_PARAMETERS, context.caller),
    priority: parts.priority ?? 0,
    timeoutUs: parts.timeoutUs ?? 0,
    deadlineNs: context.deadlineNs,
    tenantHeader: context.tenantHeader,
    caller: context.caller,
    criticalityHeader: context.criticalityHeader,
    trace: undefined,
    receivedNs: context.receivedNs,
    decodedNs: context.nowNs(),
  };
}
