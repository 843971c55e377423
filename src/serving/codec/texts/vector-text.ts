import { ServingError } from '../../../core/index.js';
import { floatWriter } from '../json-numbers/number-writer.js';

/** A vector as a JSON list: the fewest digits that read back to the same floats. Throws BACKEND_FAILED where one is not finite. */
export function vectorJson(vector: Float32Array): string {
  const bytes = bytesOf(vector);
  const writer = floatWriter();
  let text = '[';
  for (let at = 0; at < bytes.byteLength; at += writer.taken) {
    const written = writer.write(bytes, at, 4, at > 0);
    if (written.byteLength === 0) throw new ServingError('BACKEND_FAILED', 'the vector of a text is not finite');
    text += Buffer.from(written.buffer, written.byteOffset, written.byteLength).toString('latin1');
  }
  return `${text}]`;
}

/** The floats' bytes, little-endian, in base64: OpenAI's other format. */
export function vectorBase64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}

function bytesOf(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}
