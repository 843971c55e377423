import { elementCount, type InferenceResponse } from '../../../core/index.js';
import { OWN_ROOM } from '../reply-room.js';
import { writeJsonData, writeJsonElements } from '../v2-rest/data-text.js';
import { JsonWriter, quoted } from '../v2-rest/json-writer.js';

const writer = new JsonWriter();

/**
 * One response of `generate`: an object with `id` where the request has one, `model_name`, `model_version`, the response's
 * parameters, and every output by its name, without a list where it has one element. Memory of its own. Throws as `encodeInferReply`.
 */
export function encodeGenerateReply(response: InferenceResponse, allowNan: boolean): Buffer {
  writer.reset();
  writeObject(response, allowNan);
  return writer.take(0, OWN_ROOM);
}

/** The same as an event of `generate_stream`. */
export function encodeGenerateEvent(response: InferenceResponse, allowNan: boolean): Buffer {
  writer.reset();
  writer.text('data: ');
  writeObject(response, allowNan);
  writer.text('\n\n');
  return writer.take(0, OWN_ROOM);
}

/** An error after the first event. */
export function encodeErrorEvent(message: string): Buffer {
  return Buffer.from(`data: ${JSON.stringify({ error: message })}\n\n`);
}

function writeObject({ id, version, parameters, outputs }: InferenceResponse, allowNan: boolean): void {
  const named = id === '' ? '' : `"id":${quoted(id)},`;
  writer.text(`{${named}"model_name":${quoted(version.model)},"model_version":"${version.version}"`);
  for (const [name, value] of Object.entries(parameters)) {
    const text = typeof value === 'string' ? quoted(value) : String(value);
    writer.text(`,${quoted(name)}:${text}`);
  }
  for (const output of outputs) {
    writer.text(`,${quoted(output.name)}:`);
    if (elementCount(output.shape) === 1) writeJsonElements(writer, output, allowNan);
    else writeJsonData(writer, output, allowNan);
  }
  writer.text('}');
}
