import type { InferenceResponse, MemoryPlace, Parameters, ServingError, Tensor } from '../../../core/index.js';
import { OWN_ROOM, type ReplyRoom } from '../reply-room.js';
import { writeJsonData } from './data-text.js';
import { JsonWriter, quoted } from './json-writer.js';
import { type ReplyFormat, wantsBinary } from './reply-format.js';

export interface EncodedReply {
  /** JSON (UTF-8), or JSON and the binary outputs, in its room. */
  readonly body: Buffer;
  /** Bytes of JSON where binary outputs follow (then the reply is `application/octet-stream`), else undefined. */
  readonly headerLength: number | undefined;
}

export interface ReplyOptions {
  readonly allowNan: boolean;
  /** Default: memory of its own for each reply. */
  readonly room?: ReplyRoom;
  /** Outputs that went into memory of the client, with where; absent: none did. */
  readonly places?: ReadonlyMap<string, MemoryPlace> | undefined;
}

const writer = new JsonWriter();

/**
 * Encodes a reply; each binary output is copied once. Throws `DATA_TYPE_MISMATCH` for a JSON output whose data type has
 * no JSON form, `UNSUPPORTED` for values JSON cannot carry (NaN, Infinity unless `allowNan`; BYTES that are not UTF-8).
 * `headBytes` are left free (unwritten) at the start for a caller's own framing.
 */
export function encodeInferReply(
  response: InferenceResponse,
  format: ReplyFormat,
  options: ReplyOptions,
  headBytes = 0,
): EncodedReply {
  writer.reset();
  writer.at = headBytes;
  let binaryBytes = 0;
  let anyBinary = false;
  let text = `{"model_name":${quoted(response.version.model)},"model_version":"${response.version.version}"`;
  if (response.id !== '') text += `,"id":${quoted(response.id)}`;
  text += `${parametersText(response)},"outputs":[`;
  for (let i = 0; i < response.outputs.length; i++) {
    const output = response.outputs[i] as Tensor;
    if (i > 0) text += ',';
    text += `{"name":${quoted(output.name)},"datatype":"${output.dataType}","shape":[${shapeText(output.shape)}]`;
    const place = options.places?.get(output.name);
    // No parameters, as Triton: its C++ client takes those of an output to be about binary data.
    if (place !== undefined) text += '}';
    else if (wantsBinary(format, output.name)) {
      anyBinary = true;
      binaryBytes += output.data.byteLength;
      text += `,"parameters":{"binary_data_size":${output.data.byteLength}}}`;
    } else {
      writer.text(`${text},"data":`);
      writeJsonData(writer, output, options.allowNan);
      text = '}';
    }
  }
  writer.text(`${text}]}`);
  const textEnd = writer.at;
  const room = options.room ?? OWN_ROOM;
  const body = writer.take(binaryBytes, room);
  if (!anyBinary) return { body, headerLength: undefined };
  let at = textEnd;
  for (const output of response.outputs) {
    if (!wantsBinary(format, output.name) || options.places?.has(output.name)) continue;
    room.copy(body, at, output.data);
    at += output.data.byteLength;
  }
  return { body, headerLength: textEnd - headBytes };
}

/** The protocol's error body, `{"error": message}`. */
export function encodeError(error: ServingError): Buffer {
  return Buffer.from(JSON.stringify({ error: error.message }));
}

function shapeText(shape: readonly number[]): string {
  let text = '';
  for (let axis = 0; axis < shape.length; axis++) text += axis === 0 ? `${shape[axis]}` : `,${shape[axis]}`;
  return text;
}

/** Of the parameters of the last reply: those of a way are one object for all its answers. */
let lastParameters: Parameters | undefined;
let lastText = '';

function parametersText({ parameters }: InferenceResponse): string {
  if (parameters === lastParameters) return lastText;
  lastText = textOf(parameters);
  lastParameters = parameters;
  return lastText;
}

function textOf(parameters: Parameters): string {
  let text = '';
  for (const name in parameters) {
    const value = parameters[name];
    const valueText = typeof value === 'bigint' ? `${value}` : JSON.stringify(value);
    text += `${text === '' ? '' : ','}${quoted(name)}:${valueText}`;
  }
  return text === '' ? '' : `,"parameters":{${text}}`;
}
