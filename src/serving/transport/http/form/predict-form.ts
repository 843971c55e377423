import { type ModelSpec, ServingError } from '../../../../core/index.js';
import {
  attachPredict,
  type DetachedPredict,
  decodePredictBody,
  encodePredictReply,
  type PredictBody,
  requestOfParts,
} from '../../../codec/index.js';
import { oneRequest } from './decoded-call.js';
import type { DecodedCall, FormContext, InferForm } from './infer-form.js';

/**
 * `/v1/models/{m}:predict`, one route of several protocols: the body says which. `instances` and `inputs` are KServe V1's and
 * TensorFlow Serving's (codec `predict-rest`).
 */
export function predictForm(): InferForm {
  return {
    decode(body, context) {
      const spec = context.server.specs.specOf(context.model, context.version);
      return spec instanceof Promise
        ? spec.then((known) => decoded(body, known, context))
        : decoded(body, spec, context);
    },
  };
}

function decoded(body: Uint8Array, spec: ModelSpec, context: FormContext): DecodedCall | Promise<DecodedCall> {
  const { server } = context;
  if (body.byteLength < server.offloadJsonBytes) return callOf(decodePredictBody(body, spec.inputs), context);
  const inputs = spec.inputs.map(({ name, dataType, optional }) => ({ name, dataType, optional }));
  return server.offload
    .run('decodePredict', { body: context.ownedBody(), inputs }, context.signal())
    .then((detached) => callOf(attachPredict(detached as DetachedPredict), context));
}

function callOf(body: PredictBody | undefined, context: FormContext): DecodedCall {
  if (body === undefined)
    throw new ServingError('MALFORMED_REQUEST', 'the body is no JSON object with "instances" or "inputs"');
  const { kind, inputs } = body;
  const { replies } = context.server;
  return oneRequest(requestOfParts(context, { inputs }), (response) => ({
    contentType: 'application/json',
    body: encodePredictReply(response, kind, replies),
  }));
}
