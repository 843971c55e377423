import { type InferenceResponse, NO_DEADLINE, type Tensor } from '../../src/core/index.js';
import { routeMark } from '../../src/serving/router/route-mark.js';

/** What path, headers and clock say of a request, for codecs. */
export const CONTEXT = {
  model: 'm',
  version: undefined,
  deadlineNs: NO_DEADLINE,
  receivedNs: 1,
  nowNs: () => 2,
} as const;

export function responseOf(outputs: readonly Tensor[], changes: Partial<InferenceResponse> = {}): InferenceResponse {
  return {
    version: { model: 'm', version: 3 },
    id: '',
    outputs,
    parameters: {},
    latency: { decodeNs: 0, queueNs: 0, gatherNs: 0, dispatchNs: 0, computeNs: 0, scatterNs: 0, encodeNs: 0 },
    batchRows: 1,
    paddingShare: 0.5,
    mark: routeMark(3, 'default', 1, false),
    ...changes,
  };
}
