import { type InferenceResponse, type OffloadTasks, ServingError } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import type { RequestContext } from '../request-parts.js';
import { decodeBody } from '../v2-rest/infer-body.js';
import { encodeInferReply, type ReplyOptions } from '../v2-rest/infer-reply.js';
import { type DecodedRequest, requestOf } from '../v2-rest/infer-request.js';
import { JsonScanner } from '../v2-rest/json-scanner.js';
import { attachV2Json, type DetachedBody } from '../v2-rest/offload-decode.js';
import type { ReplyFormat } from '../v2-rest/reply-format.js';

/** Bytes of the JSON length, a little-endian uint32, that a binary frame starts with. */
const LENGTH_BYTES = 4;

export interface StreamFrameOptions extends RequestContext {
  readonly allowNan: boolean;
}

export type StreamFrame = DecodedRequest;

/** One WebSocket message; text where `binary` is false. `data` lies in the reply's room, or is the caller's own. */
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
  const jsonBytes = streamJsonBytes(frame, binary);
  const decoded = decodeBody(body, { jsonBytes, allowNan, binaryByDefault: binary });
  checkModelName(decoded, options);
  return requestOf(decoded, options);
}

/** Bytes of JSON that a frame has, or says it has. Throws `MALFORMED_REQUEST` where a binary frame is too short to say. */
export function streamJsonBytes(frame: Uint8Array, binary: boolean): number {
  if (!binary) return frame.byteLength;
  if (frame.byteLength < LENGTH_BYTES) {
    throw new ServingError(
      'MALFORMED_REQUEST',
      `a binary frame starts with the length of its JSON in ${LENGTH_BYTES} bytes, came ${frame.byteLength}`,
    );
  }
  // Without a DataView, which would be made for each frame.
  let jsonBytes = 0;
  for (let at = LENGTH_BYTES - 1; at >= 0; at--) jsonBytes = jsonBytes * 256 + (frame[at] as number);
  return jsonBytes;
}

/** A frame as the `decodeV2Json` task takes it, its body in memory of its own. Throws what `streamJsonBytes` throws. */
export function detachStreamFrame(
  frame: Uint8Array,
  binary: boolean,
  { allowNan }: StreamFrameOptions,
): OffloadTasks['decodeV2Json']['input'] {
  const jsonBytes = streamJsonBytes(frame, binary);
  return { body: frame.slice(binary ? LENGTH_BYTES : 0), jsonBytes, allowNan, binaryByDefault: binary };
}

/** What that task gave as the request `decodeStreamFrame` would have given. */
export function attachStreamFrame(detached: DetachedBody, options: StreamFrameOptions): StreamFrame {
  checkModelName(detached, options);
  return attachV2Json(detached, options);
}

/**
 * The `id` of a frame that could not be decoded, so that the error can say which request it means; empty where it cannot be
 * read either. Reads the outermost keys only, never throws.
 */
export function streamFrameId(frame: Uint8Array, binary: boolean): string {
  try {
    const start = binary ? LENGTH_BYTES : 0;
    const scan = new JsonScanner(frame.subarray(start, start + streamJsonBytes(frame, binary)));
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
  options: ReplyOptions,
): OutgoingFrame {
  const { body, headerLength } = encodeInferReply(response, format, options, LENGTH_BYTES);
  if (headerLength === undefined) return { data: body.subarray(LENGTH_BYTES), binary: false };
  body.writeUInt32LE(headerLength, 0);
  return { data: body, binary: true };
}

/** The text frame of an error; `id` names the request, empty where it is not known; `traceresponse`: its trace, as headers name it. */
export function encodeStreamError(error: ServingError, id: string, traceresponse?: string): OutgoingFrame {
  const { message, reason, facts, retryAfterMs } = error;
  const named = id === '' ? {} : { id };
  const traced = traceresponse === undefined ? {} : { traceresponse };
  const later = retryAfterMs === undefined ? {} : { retry_after_ms: Math.ceil(retryAfterMs) };
  const text = JSON.stringify({ error: message, ...named, reason, status: facts.http, ...later, ...traced });
  return { data: Buffer.from(text), binary: false };
}

/** Bytes of a binary frame before its first binary input. Throws what `streamJsonBytes` throws. */
export function bytesBeforeTensors(frame: Uint8Array): number {
  return LENGTH_BYTES + streamJsonBytes(frame, true);
}

function checkModelName({ modelName }: { modelName: string | undefined }, { model }: StreamFrameOptions): void {
  if (modelName === undefined || modelName === model) return;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `this connection is for model ${shown(model)}, the frame asks for ${shown(modelName)}`,
  );
}
