import { messageBytes } from '../v2-grpc/calls.js';
import { varintBytes, WireWriter } from '../v2-grpc/wire-writer.js';

/** What an answer of text-embeddings-inference tells of its call; times of one text on average. */
export interface TeiFigures {
  readonly characters: number;
  readonly tokens: number;
  readonly totalNs: number;
  readonly tokenizationNs: number;
  readonly queueNs: number;
  readonly inferenceNs: number;
}

/** A `tei.v1.Metadata` as an object. */
export function teiMetadata({ characters, tokens, totalNs, tokenizationNs, queueNs, inferenceNs }: TeiFigures): object {
  return {
    compute_chars: characters,
    compute_tokens: tokens,
    total_time_ns: Math.round(totalNs),
    tokenization_time_ns: Math.round(tokenizationNs),
    queue_time_ns: Math.round(queueNs),
    inference_time_ns: Math.round(inferenceNs),
  };
}

/** A `tei.v1.EmbedResponse`: the floats as they lie in memory, no object of them. */
export function embedResponse(vector: Float32Array, figures: TeiFigures): Buffer {
  return Buffer.concat([floatsField(1, vector), metadataField(figures)]);
}

/** A `tei.v1.EmbedAllResponse`. */
export function embedAllResponse(vectors: readonly Float32Array[], figures: TeiFigures): Buffer {
  const parts: Buffer[] = [];
  for (const vector of vectors) {
    const embedding = floatsField(1, vector);
    parts.push(opened(1, embedding.byteLength), embedding);
  }
  return Buffer.concat([...parts, metadataField(figures)]);
}

function metadataField(figures: TeiFigures): Buffer {
  const metadata = messageBytes('tei.v1.Metadata', teiMetadata(figures) as Record<string, unknown>);
  return Buffer.concat([opened(2, metadata.byteLength), metadata]);
}

/** A packed list of floats. */
function floatsField(field: number, { buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.concat([opened(field, byteLength), new Uint8Array(buffer, byteOffset, byteLength)]);
}

/** Tag and length of a field. */
function opened(field: number, length: number): Buffer {
  const writer = new WireWriter(Buffer.allocUnsafe(1 + varintBytes(length)));
  writer.open(field, length);
  return writer.bytes;
}
