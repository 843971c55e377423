import { type ModelSpec, type TextTask, toServingError } from '../../../../core/index.js';
import { decodeTextBody, type TextBodyKind, teiError, teiTokens } from '../../../codec/index.js';
import { textsAsTokens } from '../../../tokenizer/index.js';
import type { ControlCallInput } from '../control-exchange.js';
import type { HttpState } from '../http-options.js';
import type { WholeAnswer } from '../whole-call.js';
import { promptOf, type ServedTexts, servedTexts } from './text-model.js';

/** Body of a call that runs no model; text-embeddings-inference's limit. */
export const MOST_CALL_BYTES = 2_000_000;

const ANY: readonly TextTask[] = ['embed', 'rerank', 'classify'];

/** `POST /tokenize`. */
export function tokenizeCall({ server, text: body }: ControlCallInput): Promise<WholeAnswer> {
  return answered(async () => {
    const asked = bodyOf('tokenize', body, server);
    const { text } = await anyTexts(server, asked.model);
    const choice = {
      truncate: false,
      direction: text.truncationDirection,
      prompt: promptOf(text, asked.promptName),
      addSpecial: asked.addSpecial,
      withTokens: true,
    };
    // How long a text may be is the model's business, not the tokenizer's.
    const unlimited = { tokenizer: text.tokenizer, maxTokens: MOST_CALL_BYTES };
    const tokenized = await textsAsTokens(server.offload, unlimited, asked.texts, choice);
    return teiTokens(tokenized.map(({ ids, tokens }) => ({ ids, tokens: tokens ?? [] })));
  });
}

/** `POST /decode`. */
export function decodeCall({ server, text: body }: ControlCallInput): Promise<WholeAnswer> {
  return answered(async () => {
    const { model, texts, skipSpecial } = bodyOf('decode', body, server);
    const { tokenizer } = (await anyTexts(server, model)).text;
    return JSON.stringify(await server.offload.run('detokenize', { tokenizer, texts, skipSpecial }));
  });
}

/** `GET /info`: of the model that the query names, or of the one that requests without a model get. */
export function infoCall({ server, query }: ControlCallInput): Promise<WholeAnswer> {
  return answered(async () => {
    const { spec, text } = await anyTexts(server, query('model'));
    const labels = spec.outputs.find(({ name }) => name === text.output)?.labels ?? ['LABEL_0'];
    const classes = {
      id2label: Object.fromEntries(labels.map((label, i) => [String(i), label])),
      label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
    };
    const type =
      text.task === 'embed'
        ? { embedding: { pooling: text.pooling } }
        : { [text.task === 'rerank' ? 'reranker' : 'classifier']: classes };
    const { version } = await server.control.serverMetadata();
    return JSON.stringify({
      model_id: spec.id.model,
      model_sha: null,
      model_dtype: dtypeOf(spec, text.output),
      served_model_name: spec.id.model,
      model_type: type,
      max_input_length: text.maxTokens,
      max_batch_tokens: spec.batching.maxBatchTokens ?? spec.maxBatchSize * text.maxTokens,
      max_batch_requests: spec.maxBatchSize,
      max_client_batch_size: server.texts.maxClientBatchSize,
      auto_truncate: text.autoTruncate,
      prompts: Object.keys(text.prompts),
      version,
    });
  });
}

/** Of the tasks in turn: the model that is meant where none is named. */
async function anyTexts(server: HttpState, model: string): Promise<ServedTexts> {
  if (model !== '') return servedTexts(server, model, ANY);
  const { specs, texts } = server;
  const served = specs.textModels();
  const task = ANY.find((one) => texts.models[one] !== undefined || served.some(({ text }) => text?.task === one));
  return servedTexts(server, '', task === undefined ? ANY : [task]);
}

function bodyOf<K extends TextBodyKind>(kind: K, body: string, { texts }: HttpState) {
  return decodeTextBody(kind, new TextEncoder().encode(body), texts.maxClientBatchSize);
}

/** An output's data type as transformers call it. */
function dtypeOf({ outputs }: ModelSpec, output: string): string {
  const type = outputs.find(({ name }) => name === output)?.dataType;
  return type === 'FP16' ? 'float16' : type === 'BF16' ? 'bfloat16' : type === 'FP64' ? 'float64' : 'float32';
}

async function answered(call: () => Promise<string>): Promise<WholeAnswer> {
  try {
    return { content: await call(), contentType: 'application/json' };
  } catch (thrown) {
    const { status, body } = teiError(toServingError(thrown));
    return { status, content: body, contentType: 'application/json' };
  }
}
