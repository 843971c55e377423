import {
  attachV2Json,
  type DecodedRequest,
  type DetachedBody,
  decodeInferBody,
  encodeInferReply,
  type InferBodyOptions,
} from '../../codec/index.js';
import { oneRequest } from '../http/form/decoded-call.js';
import type { DecodedCall, FormContext } from '../http/form/infer-form.js';
import type { Awaitable } from '../ports.js';

/**
 * The call of a V2 body where the length of its JSON stands in the media type, of the answer too: `binaryType` is what that begins with.
 * `headerLength` undefined: the body is JSON. Throws, or rejects with, what refuses the body.
 */
export function v2Call(
  body: Uint8Array,
  headerLength: number | undefined,
  binaryType: string,
  context: FormContext,
): Awaitable<DecodedCall> {
  const { allowNan, offload, offloadJsonBytes } = context.server;
  const options: InferBodyOptions = { ...context, headerLength, allowNan };
  const jsonBytes = headerLength ?? body.byteLength;
  if (jsonBytes < offloadJsonBytes) return callOf(decodeInferBody(body, options), binaryType, context);
  const input = { body: context.ownedBody(), jsonBytes, allowNan, binaryByDefault: false };
  return offload
    .run('decodeV2Json', input, context.signal())
    .then((detached) => callOf(attachV2Json(detached as DetachedBody, options), binaryType, context));
}

function callOf({ request, format }: DecodedRequest, binaryType: string, { server }: FormContext): DecodedCall {
  const { allowNan, replies } = server;
  return oneRequest(request, (response) => {
    const { body, headerLength } = encodeInferReply(response, format, { allowNan, room: replies });
    return { body, contentType: headerLength === undefined ? 'application/json' : `${binaryType}${headerLength}` };
  });
}
