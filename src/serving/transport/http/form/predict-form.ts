import { type InferenceResponse, type ModelSpec, ServingError, type SignatureMethod } from '../../../../core/index.js';
import {
  attachPredict,
  type DetachedPredict,
  decodePredictInput,
  encodeClassifyReply,
  encodePredictReply,
  encodeRegressReply,
  type PredictBody,
  type ReplyRoom,
  requestOfParts,
  signatureIn,
} from '../../../codec/index.js';
import { type Awaitable, chained } from '../../ports.js';
import { ownNames, type SignedModel, signedModel, signedResponse } from '../../tf-serving/signed-model.js';
import { decodePlainBody, isJsonBody, plainJsonCall } from '../plain/plain-form.js';
import { oneRequest } from './decoded-call.js';
import type { DecodedCall, FormContext, InferForm } from './infer-form.js';

/** How the answer of a method is written. */
type Encode = (response: InferenceResponse, spec: ModelSpec, room: ReplyRoom, body: PredictBody) => Buffer;

/**
 * `/v1/models/{m}:predict`, one route of several protocols: the body says which. `instances` and `inputs` are KServe V1's and
 * TensorFlow Serving's (codec `predict-rest`); what has neither, or is no JSON, is a plain body.
 */
export function predictForm(): InferForm {
  return methodForm('predict', (response, _, room, { kind }) => encodePredictReply(response, kind, room));
}

/** TensorFlow Serving's `:classify`. */
export function classifyForm(): InferForm {
  return methodForm('classify', (response, spec, room) => encodeClassifyReply(response, spec, room));
}

/** TensorFlow Serving's `:regress`. */
export function regressForm(): InferForm {
  return methodForm('regress', (response, _, room) => encodeRegressReply(response, room));
}

/** KServe V1's `:explain`: a prediction of the model that the config of the one in the path names for it. */
export function explainForm(): InferForm {
  const explaining = methodForm('predict', (response, _, room, { kind }) =>
    encodePredictReply(response, kind, room, 'explanations'),
  );
  return {
    decode: (body, context) =>
      chained(context.server.specs.specOf(context.model, context.version), ({ id, explainer }) => {
        if (explainer === undefined)
          throw new ServingError(
            'UNSUPPORTED',
            `explanations are not served: the config of model '${id.model}' names no explainer; send the request to ${id.model}:predict`,
          );
        return explaining.decode(body, { ...context, model: explainer, version: undefined });
      }),
  };
}

function methodForm(method: SignatureMethod, encode: Encode): InferForm {
  return {
    decode(body, context) {
      const { specs } = context.server;
      const { model, label } = context;
      const version = label === '' ? context.version : specs.versionOf(model, label);
      return chained(version, (named) =>
        chained(specs.specOf(model, named), (spec) => {
          const own = { ...context, version: named };
          if (method === 'predict' && !isJsonBody(context.contentType, body)) return decodePlainBody(body, spec, own);
          // Named behind the inputs perhaps, and they are read by it.
          const signature = spec.signatures === undefined ? '' : signatureIn(body);
          const signed = signedModel(spec, signature, method);
          return decoded(body, method, signed, spec, own, (read) => {
            const { replies } = context.server;
            const request = requestOfParts(own, ownNames(signed, { inputs: read.inputs, outputs: [] }));
            return oneRequest(request, (response) => ({
              contentType: 'application/json',
              body: encode(signedResponse(signed, response), signed.spec, replies, read),
            }));
          });
        }),
      );
    },
  };
}

function decoded(
  body: Uint8Array,
  asked: SignatureMethod,
  { signature, spec: { inputs: specs, maxBatchSize } }: SignedModel,
  spec: ModelSpec,
  context: FormContext,
  call: (read: PredictBody) => DecodedCall,
): Awaitable<DecodedCall> {
  const { offload, offloadJsonBytes } = context.server;
  const method = asked === 'predict' ? 'predict' : 'examples';
  const batched = maxBatchSize > 0;
  if (body.byteLength < offloadJsonBytes) {
    const read = decodePredictInput({ body, method, inputs: specs, batched, signature });
    return read === undefined ? decodePlainBody(body, spec, context) : call(read);
  }
  const inputs = specs.map(({ name, dataType, optional, dims }) => ({ name, dataType, optional, dims }));
  return offload
    .run('decodePredict', { body: context.ownedBody(), method, inputs, batched, signature }, context.signal())
    .then((output) => {
      const detached = output as DetachedPredict;
      return detached.kind === 'other' ? plainJsonCall(detached.body, spec, context) : call(attachPredict(detached));
    });
}
