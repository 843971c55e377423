import { decodeRankedDocuments } from './documents.js';
import { decodeOpenAiEmbeddings } from './openai.js';
import { TEI_BODIES } from './tei.js';

/** How bodies of texts are read, by the route they came to; `most`: texts of one request, where the protocol does not say. */
const TEXT_BODIES = {
  openAi: decodeOpenAiEmbeddings,
  documents: decodeRankedDocuments,
  ...TEI_BODIES,
} satisfies Record<string, (body: Uint8Array, most: number) => unknown>;

export type TextBodyKind = keyof typeof TEXT_BODIES;
export type TextBody<K extends TextBodyKind> = ReturnType<(typeof TEXT_BODIES)[K]>;

/** Decodes a body. Throws MALFORMED_REQUEST, MISSING_INPUT, SHAPE_MISMATCH, naming the field, what was expected and what came. */
export function decodeTextBody<K extends TextBodyKind>(kind: K, body: Uint8Array, most: number): TextBody<K> {
  return TEXT_BODIES[kind](body, most) as TextBody<K>;
}

/** The same on a pool thread: the task `decodeTexts`. */
export function decodeTexts({
  kind,
  body,
  most,
}: {
  readonly kind: string;
  readonly body: Uint8Array;
  readonly most: number;
}): unknown {
  return decodeTextBody(kind as TextBodyKind, body, most);
}
