import {
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  ServingError,
  toServingError,
} from '../../../../core/index.js';
import {
  attachGenerate,
  type DetachedGenerate,
  decodeGenerateBody,
  encodeGenerateEvent,
  encodeGenerateReply,
  type GenerateBody,
  requestOfParts,
} from '../../../codec/index.js';
import { type Awaitable, chained, mapped } from '../../ports.js';
import type { CallReply, DecodedCall, FormContext, Infer, InferForm } from './infer-form.js';

/** Triton's `generate`: the one response of a model as a JSON object. */
export function generateForm(): InferForm {
  return formOf((request, allowNan) => ({ begin: (infer, reply) => generate(request, allowNan, infer, reply) }));
}

/** Triton's `generate_stream`: an event for each response, whatever their number. */
export function generateStreamForm(): InferForm {
  return formOf((request, allowNan) => ({ begin: (infer, reply) => stream(request, allowNan, infer, reply) }));
}

function formOf(call: (request: InferenceRequest, allowNan: boolean) => DecodedCall): InferForm {
  return {
    decode: (body, context) =>
      mapped(decoded(body, context), (read) => call(requestOfParts(context, read), context.server.allowNan)),
  };
}

function decoded(body: Uint8Array, context: FormContext): Awaitable<GenerateBody> {
  const { offload, offloadJsonBytes, specs } = context.server;
  return chained(specs.specOf(context.model, context.version), (spec) => {
    const batched = spec.maxBatchSize > 0;
    if (body.byteLength < offloadJsonBytes) return decodeGenerateBody(body, spec.inputs, batched);
    const inputs = spec.inputs.map(({ name, dataType, dims }) => ({ name, dataType, dims }));
    return offload
      .run('decodeGenerate', { body: context.ownedBody(), inputs, batched }, context.signal())
      .then((detached) => attachGenerate(detached as DetachedGenerate));
  });
}

const JSON_TYPE = 'application/json';
const EVENTS_TYPE = 'text/event-stream; charset=utf-8';

function generate(request: InferenceRequest, allowNan: boolean, infer: Infer, reply: CallReply): InferenceHandle {
  let kept: Buffer | undefined;
  const take = (response: InferenceResponse): void => {
    if (kept !== undefined) {
      throw new ServingError(
        'BACKEND_FAILED',
        'generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses',
      );
    }
    kept = encodeGenerateReply(response, allowNan);
  };
  return answering(request, infer, reply, {
    part: (response, taken) => {
      take(response);
      taken();
    },
    done: (response) => {
      if (!isEnd(response)) take(response);
      if (kept === undefined) {
        throw new ServingError(
          'BACKEND_FAILED',
          'generate expects model to produce exactly 1 response, it produced none',
        );
      }
      reply.done({ response, body: reply.wanted ? kept : undefined, contentType: JSON_TYPE });
    },
  });
}

function stream(request: InferenceRequest, allowNan: boolean, infer: Infer, reply: CallReply): InferenceHandle {
  const encoded = (response: InferenceResponse) => ({
    response,
    body: reply.wanted ? encodeGenerateEvent(response, allowNan) : undefined,
    contentType: EVENTS_TYPE,
  });
  return answering(request, infer, reply, {
    part: (response, taken) => reply.part?.(encoded(response), taken),
    done: (response) =>
      reply.done(isEnd(response) ? { response, body: undefined, contentType: EVENTS_TYPE } : encoded(response)),
  });
}

/** Hands a request in. The first throw of `parts` fails the call, and ends the responses that are still to come. */
function answering(
  request: InferenceRequest,
  infer: Infer,
  reply: CallReply,
  parts: Required<Pick<InferenceReply, 'part' | 'done'>>,
): InferenceHandle {
  let failure: ServingError | undefined;
  const handle = infer(request, {
    part: (response, taken) => {
      if (failure !== undefined) return;
      try {
        parts.part(response, taken);
      } catch (thrown) {
        failure = toServingError(thrown);
        handle.cancel();
      }
    },
    done: (response) => {
      try {
        if (failure !== undefined) throw failure;
        parts.done(response);
      } catch (thrown) {
        reply.failed(toServingError(thrown), response.mark);
      }
    },
    failed: (error, mark) => reply.failed(failure ?? error, mark),
  });
  return handle;
}

/** Whether it says only that nothing more comes. */
function isEnd({ index, outputs }: InferenceResponse): boolean {
  return index !== undefined && outputs.length === 0;
}
