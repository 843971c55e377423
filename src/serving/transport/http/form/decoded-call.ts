import {
  type InferenceHandle,
  type InferenceRequest,
  type InferenceResponse,
  ServingError,
  toServingError,
} from '../../../../core/index.js';
import type { DecodedCall, EncodedAnswer } from './infer-form.js';

/** What a form makes of a response; `response` itself and the case that nobody wants it are seen to. */
export type Encoded = Omit<EncodedAnswer, 'response'>;

/** A call of one request. `encode` runs while the response's outputs are valid; what it throws fails the call. */
export function oneRequest(request: InferenceRequest, encode: (response: InferenceResponse) => Encoded): DecodedCall {
  return {
    begin: (infer, reply) =>
      infer(request, {
        done: (response) => {
          try {
            reply.done({ response, ...(reply.wanted ? encode(response) : NOT_WANTED) });
          } catch (thrown) {
            reply.failed(toServingError(thrown));
          }
        },
        failed: (error, mark) => reply.failed(error, mark),
      }),
  };
}

/**
 * A call of several requests, answered together; `encode` gets their responses in the order of the requests, with outputs that
 * are their own. The first that fails cancels the others and fails the call, when all have settled: until then they may read
 * the body. No request at all is MALFORMED_REQUEST.
 */
export function severalRequests(
  requests: readonly InferenceRequest[],
  encode: (responses: readonly InferenceResponse[]) => Encoded,
): DecodedCall {
  return {
    begin(infer, reply): InferenceHandle {
      const responses: InferenceResponse[] = new Array(requests.length);
      const handles: InferenceHandle[] = [];
      let left = requests.length;
      let failed: (() => void) | undefined;
      const cancel = () => {
        for (const handle of handles) handle.cancel();
      };
      const settled = (): void => {
        left--;
        if (left > 0) return;
        if (failed !== undefined) {
          failed();
          return;
        }
        const response = responses[responses.length - 1] as InferenceResponse;
        try {
          reply.done({ response, ...(reply.wanted ? encode(responses) : NOT_WANTED) });
        } catch (thrown) {
          reply.failed(toServingError(thrown));
        }
      };
      if (left === 0) reply.failed(new ServingError('MALFORMED_REQUEST', 'the body asks for nothing'));
      for (const [index, request] of requests.entries()) {
        if (failed !== undefined) {
          settled();
          continue;
        }
        const handle = infer(request, {
          done: (response) => {
            responses[index] = kept(response);
            settled();
          },
          failed: (error, mark) => {
            if (failed === undefined) {
              failed = () => reply.failed(error, mark);
              cancel();
            }
            settled();
          },
        });
        handles.push(handle);
      }
      return { cancel };
    },
  };
}

const NOT_WANTED: Encoded = Object.freeze({ body: undefined, contentType: '' });

/** A response whose outputs outlive its reply. */
function kept(response: InferenceResponse): InferenceResponse {
  const outputs = response.outputs.map((output) => ({ ...output, data: new Uint8Array(output.data) }));
  return { ...response, outputs };
}
