import { badAnswer, PenstockError } from './client-error.js';
import { type InferMessage, joined, parsed, readAnswer } from './infer-message.js';
import type { InferAnswer } from './protocol.js';

const LENGTH_BYTES = 4;

/** A WebSocket frame with a request: the length of its JSON, the JSON, the tensors. */
export function frameOf(message: InferMessage): Uint8Array<ArrayBuffer> {
  const frame = joined(message, LENGTH_BYTES);
  new DataView(frame.buffer).setUint32(0, message.json.length, true);
  return frame;
}

/** What a frame says, and of which request; of none where an error has no id. */
export interface ReceivedFrame {
  readonly id: string | undefined;
  readonly outcome: InferAnswer | PenstockError;
}

/** Reads a frame of the server. Throws `BAD_ANSWER`. */
export function readFrame(frame: string | ArrayBuffer): ReceivedFrame {
  if (typeof frame === 'string') return readText(frame);
  if (frame.byteLength < LENGTH_BYTES) throw badAnswer('a frame is not to be read');
  const jsonBytes = new DataView(frame).getUint32(0, true);
  // In front of the tensors is a length of four bytes: to where theirs suits, the rest is copied once.
  const outcome = readAnswer(new Uint8Array(frame, LENGTH_BYTES), jsonBytes);
  return { id: outcome.id, outcome };
}

interface ErrorFrame {
  readonly error?: string;
  readonly id?: string;
  readonly reason?: string;
  readonly status?: number;
  readonly retry_after_ms?: number;
}

/** Outputs were asked for as binary tensors, so it is an error, or an answer without outputs. */
function readText(text: string): ReceivedFrame {
  const bytes = new TextEncoder().encode(text);
  const { error, id, reason = '', status = 0, retry_after_ms: retryAfterMs } = parsed<ErrorFrame>(bytes);
  if (error === undefined) return { id: String(id), outcome: readAnswer(bytes, bytes.length) };
  return { id, outcome: new PenstockError(error, { status, reason, retryAfterMs }) };
}
