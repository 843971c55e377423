import { ServingError, toServingError } from '../../../../core/index.js';
import { decodeTextBody, type TextBodyKind, teiError, teiTokens } from '../../../codec/index.js';
import { textInfo } from '../../texts/text-info.js';
import { textsOfTokens, tokensOfTexts } from '../../texts/tokens-of-texts.js';
import type { ControlCallInput } from '../control-exchange.js';
import type { HttpState } from '../http-options.js';
import type { WholeAnswer } from '../whole-call.js';

/** `POST /tokenize`. */
export function tokenizeCall({ server, text: body }: ControlCallInput): Promise<WholeAnswer> {
  return answered(async () => teiTokens(await tokensOfTexts(server, bodyOf('tokenize', body, server))));
}

/** `POST /decode`. */
export function decodeCall({ server, text: body }: ControlCallInput): Promise<WholeAnswer> {
  return answered(async () => {
    const { model, texts, skipSpecial } = bodyOf('decode', body, server);
    return JSON.stringify(await textsOfTokens(server, model, texts, skipSpecial));
  });
}

/** Of an empty answer, which is no JSON. */
export const NO_WORDS = 'text/plain';

/** `GET /health`: 200 without a word, or why not. */
export function healthCall({ server }: ControlCallInput): Promise<WholeAnswer> {
  return answered(async () => {
    const { ready } = await server.control.ready();
    if (!ready || server.inFlight.draining) throw new ServingError('VERSION_NOT_READY', 'the server is not ready');
    return '';
  }, NO_WORDS);
}

/** `GET /info`: of the model that the query names, or of the one that requests without a model get. */
export function infoCall({ server, query }: ControlCallInput): Promise<WholeAnswer> {
  return answered(async () => {
    const info = await textInfo(server, query('model'));
    const { spec, text } = info.served;
    const classes = {
      id2label: Object.fromEntries(info.labels.map((label, i) => [String(i), label])),
      label2id: Object.fromEntries(info.labels.map((label, i) => [label, i])),
    };
    const embeds = text.task === 'embed' || text.task === 'sparse';
    const type = embeds
      ? { embedding: { pooling: text.pooling } }
      : { [text.task === 'rerank' ? 'reranker' : 'classifier']: classes };
    const { version } = await server.control.serverMetadata();
    return JSON.stringify({
      model_id: spec.id.model,
      model_sha: null,
      model_dtype: info.dtype,
      served_model_name: spec.id.model,
      model_type: type,
      max_concurrent_requests: info.maxConcurrentRequests,
      max_input_length: text.maxTokens,
      max_batch_tokens: info.maxBatchTokens,
      max_batch_requests: spec.maxBatchSize,
      max_client_batch_size: server.texts.maxClientBatchSize,
      tokenization_workers: server.texts.tokenizationWorkers,
      auto_truncate: text.autoTruncate,
      prompts: Object.keys(text.prompts),
      version,
    });
  });
}

function bodyOf<K extends TextBodyKind>(kind: K, body: string, { texts }: HttpState) {
  return decodeTextBody(kind, new TextEncoder().encode(body), texts.maxClientBatchSize);
}

async function answered(call: () => Promise<string>, contentType = 'application/json'): Promise<WholeAnswer> {
  try {
    return { content: await call(), contentType };
  } catch (thrown) {
    const { status, body } = teiError(toServingError(thrown));
    return { status, content: body, contentType: 'application/json' };
  }
}
