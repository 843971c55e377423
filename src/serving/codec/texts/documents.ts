import { ServingError } from '../../../core/index.js';
import { rankedTexts } from './tei-answers.js';
import {
  type Fields,
  fieldsOf,
  filledText,
  flagOf,
  listOf,
  optional,
  positiveOf,
  refused,
  textOf,
} from './text-fields.js';

/** Cohere's limit of `documents`. */
const MOST_DOCUMENTS = 1000;

/** A body of `POST /v1/rerank` as Cohere, Jina and vLLM have it. */
export interface RankedDocuments {
  /** Empty: the one that this server takes for it. */
  readonly model: string;
  readonly query: string;
  readonly documents: readonly string[];
  /** Undefined: all. */
  readonly top: number | undefined;
  readonly returnDocuments: boolean;
  /** They cut what is too long, where a request does not say. */
  readonly truncate: boolean;
}

/** Decodes a body. Throws MALFORMED_REQUEST, MISSING_INPUT, SHAPE_MISMATCH, UNSUPPORTED (documents cut or chosen in parts). */
export function decodeRankedDocuments(body: Uint8Array): RankedDocuments {
  return rankedDocumentsOf(fieldsOf(body));
}

/** The same of a body that was read. */
export function rankedDocumentsOf(fields: Fields): RankedDocuments {
  for (const field of ['max_tokens_per_doc', 'max_chunks_per_doc', 'rank_fields'])
    if (fields[field] !== undefined && fields[field] !== null)
      throw new ServingError(
        'UNSUPPORTED',
        `'${field}' is not supported: the model's config says how long a text may be`,
      );
  return {
    model: optional(fields, 'model', textOf) ?? '',
    query: filledText(fields.query, 'query'),
    documents: listOf(fields.documents, 'documents', MOST_DOCUMENTS).map(documentOf),
    top: optional(fields, 'top_n', positiveOf),
    returnDocuments: optional(fields, 'return_documents', flagOf) ?? false,
    truncate: optional(fields, 'truncation', flagOf) ?? true,
  };
}

/** A text, or an object that has one. */
function documentOf(value: unknown, index: number): string {
  const field = `documents[${index}]`;
  if (typeof value !== 'object' || value === null) return filledText(value, field);
  const { text } = value as Fields;
  if (text === undefined) throw refused(`${field}.text`, 'a text', text);
  return filledText(text, `${field}.text`);
}

/** The answer: documents by their relevance from 0 to 1, the best first. Throws BACKEND_FAILED where a score is no number. */
export function encodeRankedDocuments(
  { documents, top, returnDocuments }: RankedDocuments,
  model: string,
  logits: readonly Float32Array[],
  tokens: number,
): string {
  const ranks = rankedTexts({ texts: documents, rawScores: false, returnText: returnDocuments }, logits);
  const results = ranks.slice(0, top).map(({ index, text, score }) => ({
    index,
    relevance_score: score,
    ...(text === undefined ? {} : { document: { text } }),
  }));
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  const meta = { api_version: { version: '2' }, tokens: { input_tokens: tokens } };
  return JSON.stringify({ id: '', object: 'list', model, results, usage, meta });
}

/** The body of an error: Cohere's clients read `message`, Jina's `detail`. */
export function documentsError({ message }: ServingError): string {
  return JSON.stringify({ message, detail: message });
}
