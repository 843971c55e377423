import type { ServingError } from '../../../../core/index.js';
import { documentsError, encodeRankedDocuments, type RankedDocuments, vectorOf } from '../../../codec/index.js';
import { type AskedTexts, callOfTexts } from '../../texts/asked-texts.js';
import type { InferForm } from '../form/infer-form.js';
import { textBody } from './text-body.js';

/** `POST /v1/rerank`, as Cohere's, Jina's and vLLM's clients call it. */
export function documentsForm(): InferForm {
  return {
    errorAnswer: (error: ServingError) => ({ contentType: 'application/json', body: documentsError(error) }),
    decode: async (body, context) => callOfTexts(askedDocuments(await textBody('documents', body, context)), context),
  };
}

/** Documents that are ranked: each with the query, a pair. */
export function askedDocuments(asked: RankedDocuments): AskedTexts<Float32Array> {
  const { model, query, documents, truncate } = asked;
  return {
    model,
    tasks: ['rerank'],
    texts: documents.map((text) => [query, text] as const),
    truncate,
    take: (response, { text }, tokens) => vectorOf(response, text, tokens),
    encode: (logits, { spec }, { tokens }) => encodeRankedDocuments(asked, spec.id.model, logits, tokens),
  };
}
