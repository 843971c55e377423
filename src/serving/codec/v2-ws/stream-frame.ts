import { type InferenceResponse, ServingError } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { decodeBody } from '../v2-rest/infer-body.js';
import { encodeInferReply } from '../v2-rest/infer-reply.js';
import { type DecodedRequest, type RequestContext, requestOf } from '../v2-rest/infer-request.js';
import { JsonScanner } from '../v2-rest/json-scanner.js';
import type { ReplyFormat } from '../v2-rest/reply-format.js';

/** Bytes of the JSON length, a little-endian uint32, that a binary frame starts with. */
const LENGTH_BYTES = 4;

export interface StreamFrameOptions extends RequestContext {
  readonly allowNan: boolean;
}

export type StreamFrame = DecodedRequest;

/** One WebSocket message; text where `binary` is false. `data` is the caller's own. */
export interface OutgoingFrame {
  readonly data: Buffer;
  readonly binary: boolean;
}

/**
 * Decodes one request of a WebSocket. A text frame is the JSON body of the REST protocol; a binary frame is the length of
 * the JSON (uint32, little-endian), the JSON, the binary inputs, and asks for binary outputs unless it says otherwise.
 * `model_name`, where given, must be the path's. Throws what `decodeInferBody` throws.
 */
export function decodeStreamFrame(frame: Uint8Array, binary: boolean, options: StreamFrameOptions): StreamFrame {
  const { allowNan } = options;
  const body = binary ? frame.subarray(LENGTH_BYTES) : frame;
  const jsonBytes = binary ? jsonLength(frame) : frame.byteLength;
  const decoded = decodeBody(body, { jsonBytes, allowNan, binaryByDefault: binary });
  if (decoded.modelName !== undefined && decoded.modelName !== options.model) {
    throw new ServingError(
      'MALFORMED_REQUEST',
      `this connection is for model ${shown(options.model)}, the frame asks for ${shown(decoded.modelName)}`,
    );
  }
  return requestOf(decoded, options);
}

/**
 * The `id` of a frame that could not be decoded, so that the error can say which request it means; empty where it cannot be
 * read either. Reads the outermost keys only, never throws.
 */
export function streamFrameId(frame: Uint8Array, binary: boolean): string {
  try {
    const json = binary ? frame.subarray(LENGTH_BYTES, LENGTH_BYTES + jsonLength(frame)) : frame;
    const scan = new JsonScanner(json);
    scan.openObject('the request');
    for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
      if (key === 'id') return scan.string('id');
      scan.skip();
    }
  } catch {
    // What is wrong with the frame has been found already; here it only has no id.
  }
  return '';
}

/** Encodes an answer: a binary frame, laid out as requests are, where any output is binary, else a text frame. */
export function encodeStreamReply(
  response: InferenceResponse,
  format: ReplyFormat,
  options: { readonly allowNan: boolean },
): OutgoingFrame {
  const { body, headerLength } = encodeInferReply(response, format, options, LENGTH_BYTES);
  if (headerLength === undefined) return { data: body.subarray(LENGTH_BYTES), binary: false };
  body.writeUInt32LE(headerLength, 0);
  return { data: body, binary: true };
}

/** The text frame of an error; `id` names the request, empty where it is not known. */
export function encodeStreamError(error: ServingError, id: string): OutgoingFrame {
  const { message, reason, facts } = error;
  const named = id === '' ? {} : { id };
  return { data: Buffer.from(JSON.stringify({ error: message, ...named, reason, status: facts.http })), binary: false };
}

function jsonLength(frame: Uint8Array): number {
  if (frame.byteLength < LENGTH_BYTES) {
    throw new ServingError(
      'MALFORMED_REQUEST',
      `a binary frame starts with the length of its JSON in ${LENGTH_BYTES} bytes, came ${frame.byteLength}`,
    );
  }
  return new DataView(frame.buffer, frame.byteOffset, LENGTH_BYTES).getUint32(0, true);
}
