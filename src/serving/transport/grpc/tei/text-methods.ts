import { ServingError, type TextInput } from '../../../../core/index.js';
import {
  type Call,
  classesOfTexts,
  embedAllResponse,
  embedResponse,
  finished,
  rankedTexts,
  sparseValues,
  teiMetadata,
  vectorOf,
  vectorsOfTokens,
} from '../../../codec/index.js';
import type { DecodedCall } from '../../http/form/infer-form.js';
import type { Awaitable } from '../../ports.js';
import { type AskedTexts, callOfTexts, type TextsContext } from '../../texts/asked-texts.js';
import { textInfo } from '../../texts/text-info.js';
import { textsOfTokens, tokensOfTexts } from '../../texts/tokens-of-texts.js';

/** Fields of the requests of `tei.v1` together; each has some of them. Those that a message may leave out are absent then. */
export interface TeiMessage {
  /** Of `PredictPair` a list of one text or two. */
  readonly inputs: string | readonly string[];
  readonly truncate: boolean;
  readonly truncation_direction: string | number;
  readonly normalize?: boolean;
  readonly prompt_name?: string;
  readonly dimensions?: number;
  readonly query: string;
  readonly texts: readonly string[];
  readonly raw_scores: boolean;
  readonly return_text: boolean;
  readonly add_special_tokens: boolean;
  readonly ids: readonly number[];
  readonly skip_special_tokens: boolean;
}

/** What is known of a call beside its message. */
export interface TeiContext extends TextsContext {
  readonly model: string;
  readonly serverVersion: () => Awaitable<{ readonly version: string }>;
}

/** What a method does with a message: inferences, or an answer that no model is run for. */
export type TextMethod =
  | { readonly kind: 'inference'; begin(message: TeiMessage, context: TeiContext): Promise<DecodedCall> }
  | { readonly kind: 'answer'; answer(message: TeiMessage, context: TeiContext): Promise<Buffer> };

/** The method of a call, its stream's as well. Throws (our mistake) for one that there is not. */
export function textMethod(call: Call): TextMethod {
  const name = call.name.replace(/Stream$/, '');
  const asking = ASKING[name];
  if (asking !== undefined) return { kind: 'inference', begin: (message, context) => asking(message, call, context) };
  const answering = ANSWERING[name];
  if (answering === undefined) throw new Error(`there is no method ${call.path}`);
  return { kind: 'answer', answer: async (message, context) => call.encode(await answering(message, context)) };
}

const ASKING: Readonly<Record<string, (message: TeiMessage, call: Call, context: TeiContext) => Promise<DecodedCall>>> =
  {
    Embed: (message, _call, context) =>
      begun(message, context, {
        tasks: ['embed'],
        texts: [oneText(message)],
        take: (response, { text }, tokens) =>
          finished(vectorOf(response, text, tokens), dimensionsOf(message), message.normalize ?? text.normalize),
        encode: ([vector], _, figures) => embedResponse(vector as Float32Array, figures),
      }),
    EmbedSparse: (message, call, context) =>
      begun(message, context, {
        tasks: ['sparse'],
        texts: [oneText(message)],
        take: (response, { text }, tokens) => sparseValues(vectorOf(response, text, tokens)),
        encode: ([values], _, figures) => call.encode({ sparse_embeddings: values, metadata: teiMetadata(figures) }),
      }),
    EmbedAll: (message, _call, context) =>
      begun(message, context, {
        tasks: ['embed'],
        texts: [oneText(message)],
        take: (response, { text }, tokens) =>
          vectorsOfTokens(response, text, tokens).map((vector) => finished(vector, undefined, false)),
        encode: ([vectors], _, figures) => embedAllResponse(vectors as readonly Float32Array[], figures),
      }),
    Predict: predicted,
    PredictPair: predicted,
    Rerank: (message, call, context) => {
      const { query, texts, raw_scores: rawScores, return_text: returnText } = message;
      if (texts.length === 0) throw emptyField('texts');
      const most = context.server.texts.maxClientBatchSize;
      // Those of a stream came one by one, as many as they are.
      if (!call.requestStream && texts.length > most)
        throw new ServingError('SHAPE_MISMATCH', `'texts': expected at most ${most} texts, found ${texts.length}`);
      return begun(message, context, {
        tasks: ['rerank'],
        texts: texts.map((text) => [filled(query, 'query'), filled(text, 'texts')] as const),
        take: (response, { text }, tokens) => vectorOf(response, text, tokens),
        encode: (logits, _, figures) =>
          call.encode({
            ranks: rankedTexts({ texts, rawScores, returnText }, logits),
            metadata: teiMetadata(figures),
          }),
      });
    },
  };

const ANSWERING: Readonly<Record<string, (message: TeiMessage, context: TeiContext) => Promise<object>>> = {
  Info: async (_, { server, model, serverVersion }) => {
    const { served, dtype, maxBatchTokens, maxConcurrentRequests } = await textInfo(server, model);
    const { spec, text } = served;
    const { version } = await serverVersion();
    return {
      version,
      model_id: spec.id.model,
      model_dtype: dtype,
      model_type: MODEL_TYPES[text.task],
      max_concurrent_requests: maxConcurrentRequests,
      max_input_length: text.maxTokens,
      max_batch_tokens: maxBatchTokens,
      max_batch_requests: Math.max(spec.maxBatchSize, 1),
      max_client_batch_size: server.texts.maxClientBatchSize,
      tokenization_workers: server.texts.tokenizationWorkers,
    };
  },
  Tokenize: async (message, { server, model, signal }) => {
    const asked = {
      model,
      texts: [oneText(message)],
      addSpecial: message.add_special_tokens,
      promptName: message.prompt_name,
    };
    const [first] = await tokensOfTexts(server, asked, signal());
    return { tokens: first?.tokens.map((token, i) => ({ ...token, id: first.ids[i] })) ?? [] };
  },
  Decode: async ({ ids, skip_special_tokens: skipSpecial }, { server, model, signal }) => {
    if (ids.length === 0) throw emptyField('ids');
    const high = ids.find((id) => id > 0x7fff_ffff);
    if (high !== undefined) throw new ServingError('MALFORMED_REQUEST', `'ids': expected a token id, found ${high}`);
    const [text] = await textsOfTokens(server, model, [Int32Array.from(ids)], skipSpecial, signal());
    return { text };
  },
};

const MODEL_TYPES = {
  embed: 'MODEL_TYPE_EMBEDDING',
  sparse: 'MODEL_TYPE_EMBEDDING',
  classify: 'MODEL_TYPE_CLASSIFIER',
  rerank: 'MODEL_TYPE_RERANKER',
} as const;

function predicted(message: TeiMessage, call: Call, context: TeiContext): Promise<DecodedCall> {
  return begun(message, context, {
    tasks: ['classify', 'rerank'],
    texts: [textOrPair(message.inputs)],
    take: (response, { text }, tokens) => vectorOf(response, text, tokens),
    encode: (logits, { spec, text }, figures) => {
      const { labels } = spec.outputs.find(({ name }) => name === text.output) ?? {};
      const [predictions] = classesOfTexts(message.raw_scores, logits, labels);
      return call.encode({ predictions, metadata: teiMetadata(figures) });
    },
  });
}

/** False, and to the right, are what a message says that says nothing: the model's config decides then. */
function begun<T>(
  { truncate, truncation_direction: direction, prompt_name: promptName }: TeiMessage,
  context: TeiContext,
  asked: Pick<AskedTexts<T>, 'tasks' | 'texts' | 'take' | 'encode'>,
): Promise<DecodedCall> {
  if (typeof direction === 'number')
    throw new ServingError('MALFORMED_REQUEST', `'truncation_direction': expected 0 or 1, found ${direction}`);
  const side = direction === 'TRUNCATION_DIRECTION_LEFT' ? 'left' : undefined;
  return callOfTexts(
    { ...asked, model: context.model, truncate: truncate || undefined, direction: side, promptName },
    context,
  );
}

function oneText({ inputs }: TeiMessage): string {
  return filled(inputs as string, 'inputs');
}

function textOrPair(inputs: TeiMessage['inputs']): TextInput {
  if (typeof inputs === 'string') return filled(inputs, 'inputs');
  const [first, second, ...more] = inputs.map((text) => filled(text, 'inputs'));
  if (first === undefined || more.length > 0)
    throw new ServingError('MALFORMED_REQUEST', `'inputs' must have a single or two elements, found ${inputs.length}`);
  return second === undefined ? first : [first, second];
}

function dimensionsOf({ dimensions }: TeiMessage): number | undefined {
  if (dimensions === 0) throw new ServingError('MALFORMED_REQUEST', "'dimensions': expected at least 1, found 0");
  return dimensions;
}

function filled(text: string, field: string): string {
  if (text === '') throw emptyField(field);
  return text;
}

function emptyField(field: string): ServingError {
  return new ServingError('MISSING_INPUT', `'${field}' cannot be empty`);
}
