import { MOST_CALL_BYTES } from '../../texts/tokens-of-texts.js';
import { formRoute } from '../form/form-route.js';
import type { InferForm } from '../form/infer-form.js';
import type { Route } from '../routes.js';
import { documentsForm } from './documents-form.js';
import { openAiEmbeddingsForm, openAiRefusal } from './openai-form.js';
import { decodeCall, healthCall, infoCall, NO_WORDS, tokenizeCall } from './tei-calls.js';
import { TEI_FORMS } from './tei-forms.js';

const NO_GENERATION =
  'text is not generated here: models of texts give vectors and scores, by /v1/embeddings and /rerank';

/** The routes of embedding servers: OpenAI's, and those of text-embeddings-inference. */
export const TEXT_ROUTES: readonly Route[] = [
  ...['/v1/embeddings', '/embeddings', '/openai/v1/embeddings'].map((pattern) =>
    form(pattern, 'Vectors of texts or token ids (OpenAI)', 'OpenAiEmbeddings', 'OpenAiVectors', openAiEmbeddingsForm),
  ),
  ...['/v1/completions', '/v1/chat/completions', '/v1/responses'].map((pattern) =>
    form(pattern, 'Generated text (OpenAI): not served, 501', 'Empty', 'OpenAiError', openAiRefusal(NO_GENERATION)),
  ),
  form('/embed', 'Vectors of texts (text-embeddings-inference)', 'TeiEmbed', 'TeiVectors', TEI_FORMS.embed),
  form('/', 'The same as /embed', 'TeiEmbed', 'TeiVectors', TEI_FORMS.embed),
  form('/embed_all', 'A vector a token (text-embeddings-inference)', 'TeiEmbed', 'TeiTokenVectors', TEI_FORMS.embedAll),
  form(
    '/embed_sparse',
    'Weights of tokens of the vocabulary (text-embeddings-inference)',
    'TeiEmbedSparse',
    'TeiSparseVectors',
    TEI_FORMS.embedSparse,
  ),
  form(
    '/similarity',
    'How near sentences are to another (text-embeddings-inference)',
    'TeiSimilarity',
    'TeiSimilarities',
    TEI_FORMS.similarity,
  ),
  form(
    '/rerank',
    'Texts by their relevance for a query (text-embeddings-inference)',
    'TeiRerank',
    'TeiRanks',
    TEI_FORMS.rerank,
  ),
  ...['/v1/rerank', '/v2/rerank'].map((pattern) =>
    form(
      pattern,
      'Documents by their relevance for a query (Cohere, Jina)',
      'RankedDocuments',
      'DocumentRanks',
      documentsForm,
    ),
  ),
  form('/predict', 'Classes of texts (text-embeddings-inference)', 'TeiPredict', 'TeiPredictions', TEI_FORMS.predict),
  {
    kind: 'control',
    method: 'POST',
    pattern: '/tokenize',
    tag: 'inference',
    group: 'inference',
    right: 'open',
    summary: 'Tokens of texts (text-embeddings-inference)',
    request: 'TeiTokenize',
    response: 'TeiTokens',
    maxTextBytes: MOST_CALL_BYTES,
    handle: tokenizeCall,
  },
  {
    kind: 'control',
    method: 'POST',
    pattern: '/decode',
    tag: 'inference',
    group: 'inference',
    right: 'open',
    summary: 'Texts of token ids (text-embeddings-inference)',
    request: 'TeiDecode',
    response: 'TeiTexts',
    maxTextBytes: MOST_CALL_BYTES,
    handle: decodeCall,
  },
  {
    kind: 'control',
    method: 'GET',
    pattern: '/health',
    tag: 'health',
    group: 'health',
    right: 'open',
    summary: 'Whether the server takes requests (text-embeddings-inference); 503 where not',
    response: 'Document',
    answerType: NO_WORDS,
    duringDrain: true,
    handle: healthCall,
  },
  {
    kind: 'control',
    method: 'GET',
    pattern: '/info',
    tag: 'metadata',
    group: 'metadata',
    right: 'open',
    summary: 'The model of texts and its limits (text-embeddings-inference)',
    query: { model: 'Which model; default the one that requests without a model get' },
    response: 'TeiInfo',
    handle: infoCall,
  },
];

function form(pattern: string, summary: string, request: string, response: string, make: () => InferForm): Route {
  return formRoute({ pattern, summary, request, response, form: make });
}
