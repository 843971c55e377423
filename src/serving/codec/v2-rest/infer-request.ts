import { type InferenceRequest, ServingError } from '../../../core/index.js';
import type { PlacedTensors } from '../placed-tensors.js';
import { type RequestContext, requestOfParts } from '../request-parts.js';
import type { DecodedBody } from './decoded-body.js';
import { decodeBody } from './infer-body.js';
import { BINARY_REPLY, type ReplyFormat } from './reply-format.js';

export interface InferBodyOptions extends RequestContext {
  /** Header `Inference-Header-Content-Length`; undefined: the body is JSON; 0: it is one raw tensor. */
  readonly headerLength: number | undefined;
  readonly allowNan: boolean;
  /** Tensors in memory of the client; absent: such are refused. */
  readonly placed?: PlacedTensors | undefined;
}

export interface DecodedRequest {
  readonly request: InferenceRequest;
  readonly format: ReplyFormat;
}

/**
 * Decodes the body of a V2 inference request: JSON, JSON and binary data, or one raw tensor. Binary inputs are views of
 * `body`, which must stay untouched until the reply; JSON inputs have memory of their own. Throws `MALFORMED_REQUEST`,
 * `SHAPE_MISMATCH`, `DATA_TYPE_MISMATCH`, `UNSUPPORTED` (shared memory), each naming the input, what was expected and
 * what came. Memory taken is bounded by a small multiple of the body.
 */
export function decodeInferBody(body: Uint8Array, options: InferBodyOptions): DecodedRequest {
  if (options.headerLength === 0)
    return { request: requestOfParts(options, { inputs: [], rawInput: body }), format: BINARY_REPLY };
  const jsonBytes = checkedHeaderLength(options.headerLength ?? body.byteLength);
  const { allowNan, placed } = options;
  return requestOf(decodeBody(body, { jsonBytes, allowNan, binaryByDefault: false, placed }), options);
}

/** Joins a decoded body with what path, headers and clock say. */
export function requestOf(body: DecodedBody, context: RequestContext): DecodedRequest {
  const request = requestOfParts(context, body);
  // Not in the literal: a request that is in no sequence has no place for one.
  if (body.sequence !== undefined) request.sequence = body.sequence;
  return { request, format: body.format };
}

function checkedHeaderLength(length: number): number {
  if (Number.isSafeInteger(length) && length >= 0) return length;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `Inference-Header-Content-Length must be an integer from 0, came ${length}`,
  );
}
