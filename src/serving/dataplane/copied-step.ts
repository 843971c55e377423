import {
  type Clock,
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  ServingError,
  whyUncopied,
} from '../../core/index.js';
import type { MemberOutcome } from '../batcher/index.js';
import type { RouteDecision } from '../router/index.js';
import { filteredAnswer } from './filtered-answer.js';
import { pickOutputs } from './picked-outputs.js';
import type { ServedVersion } from './served-version.js';
import { ShadowCall } from './shadow-call.js';

/**
 * Takes a step of a copy of an ensemble's request: where the step of a request would go, but into the queue of copies there, and
 * told to no figures, rollouts or shadows. Throws where it is not taken; else `reply` is called once, perhaps at once.
 */
export function copyStep(
  { primary: served, mark, filtered }: RouteDecision<ServedVersion>,
  request: InferenceRequest,
  reply: InferenceReply,
  clock: Clock,
): InferenceHandle {
  if (filtered?.kind === 'blocked') throw new ServingError('BLOCKED', filtered.message);
  if (filtered?.kind === 'answered') {
    reply.done(filteredAnswer(request, served, filtered.outputs, mark, clock));
    return NOTHING_TO_CANCEL;
  }
  const { shadowQueue: queue, spec } = served;
  if (queue === undefined) {
    const why = whyUncopied(spec) ?? 'it has no queue for them';
    throw new ServingError('UNSUPPORTED', `model '${spec.id.model}' takes no copies of requests: ${why}`);
  }
  const { member, batchKey, outputs } = served.admission.admit(request);
  const enqueuedNs = clock.nowNs();
  const settled = (outcome: MemberOutcome) => {
    if (outcome.kind === 'failed') {
      reply.failed(outcome.error, mark);
      return;
    }
    request.trace?.ran(outcome);
    const { queueNs, gatherNs, dispatchNs, computeNs, batchRows, paddingShare, deviceNs, cost } = outcome;
    const response: InferenceResponse = {
      version: spec.id,
      id: request.id,
      outputs: pickOutputs(outcome.outputs, outputs, spec),
      parameters: {},
      latency: { decodeNs: 0, queueNs, gatherNs, dispatchNs, computeNs, scatterNs: 0, encodeNs: 0 },
      batchRows,
      paddingShare,
      deviceNs,
      cost,
      mark,
    };
    reply.done(response);
  };
  const call = new ShadowCall({ member, batchKey }, request, enqueuedNs, settled);
  request.trace?.admitted(enqueuedNs, '', 'sheddable');
  queue.enqueue(call);
  return { cancel: () => queue.cancel(call) };
}

const NOTHING_TO_CANCEL: InferenceHandle = Object.freeze({ cancel: () => {} });
