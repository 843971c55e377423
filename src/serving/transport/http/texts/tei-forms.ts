import type { ServingError } from '../../../../core/index.js';
import {
  finished,
  sparseValues,
  type TextBody,
  type TextBodyKind,
  teiError,
  teiPredictions,
  teiRanks,
  teiSimilarities,
  teiSparseVectors,
  teiTokenVectors,
  teiVectors,
  vectorOf,
  vectorsOfTokens,
} from '../../../codec/index.js';
import { type AskedTexts, callOfTexts } from '../../texts/asked-texts.js';
import type { InferForm } from '../form/infer-form.js';
import { askedDocuments } from './documents-form.js';
import { textBody } from './text-body.js';

const errorAnswer = (error: ServingError) => ({ contentType: 'application/json', ...teiError(error) });

/** The forms of text-embeddings-inference that run a model. */
export const TEI_FORMS = {
  embed: formOf('embed', (asked) => ({
    ...asked,
    tasks: ['embed'],
    take: (response, { text }, tokens) =>
      finished(vectorOf(response, text, tokens), asked.dimensions, asked.normalize ?? text.normalize),
    encode: teiVectors,
  })),

  /** A vector a token, as the model gives them. */
  embedAll: formOf('embed', (asked) => ({
    ...asked,
    tasks: ['embed'],
    take: (response, { text }, tokens) =>
      vectorsOfTokens(response, text, tokens).map((vector) => finished(vector, undefined, false)),
    encode: teiTokenVectors,
  })),

  /** `normalize` and `dimensions` are not of this route, and not looked at. */
  embedSparse: formOf('embed', (asked) => ({
    ...asked,
    tasks: ['sparse'],
    take: (response, { text }, tokens) => sparseValues(vectorOf(response, text, tokens)),
    encode: teiSparseVectors,
  })),

  similarity: formOf('similarity', (asked) => ({
    ...asked,
    tasks: ['embed'],
    take: (response, { text }, tokens) => finished(vectorOf(response, text, tokens), undefined, false),
    encode: teiSimilarities,
  })),

  rerank: formOf<'rerank', Float32Array>('rerank', (asked) =>
    'documents' in asked
      ? askedDocuments(asked)
      : {
          ...asked,
          tasks: ['rerank'],
          texts: asked.texts.map((text) => [asked.query, text] as const),
          take: (response, { text }, tokens) => vectorOf(response, text, tokens),
          encode: (logits) => teiRanks(asked, logits),
        },
  ),

  predict: formOf('predict', (asked) => ({
    ...asked,
    tasks: ['classify', 'rerank'],
    take: (response, { text }, tokens) => vectorOf(response, text, tokens),
    encode: (logits, { spec, text }) =>
      teiPredictions(asked, logits, spec.outputs.find(({ name }) => name === text.output)?.labels),
  })),
};

function formOf<K extends TextBodyKind, T>(kind: K, asking: (asked: TextBody<K>) => AskedTexts<T>): () => InferForm {
  return () => ({
    errorAnswer,
    decode: async (body, context) => callOfTexts(asking(await textBody(kind, body, context)), context),
  });
}
