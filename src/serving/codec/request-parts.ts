import {
  type InferenceRequest,
  type OutputRequest,
  type Parameters,
  type Tensor,
  withForwarded,
} from '../../core/index.js';
import { NO_PARAMETERS } from './request-parameters.js';
import type { RequestContext } from './v2-rest/infer-request.js';

/** What a body says of its request; absent: nothing. */
export interface RequestParts {
  readonly inputs: readonly Tensor[];
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
    rawInput: undefined,
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
