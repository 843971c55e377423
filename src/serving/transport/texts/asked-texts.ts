import type {
  InferenceResponse,
  Offload,
  TextInput,
  TextTask,
  TextUse,
  TruncationDirection,
} from '../../../core/index.js';
import { type RequestContext, textRequest } from '../../codec/index.js';
import { type TokenizedText, textsAsTokens } from '../../tokenizer/index.js';
import type { DecodedCall } from '../http/form/infer-form.js';
import { TextFigures } from './text-figures.js';
import { promptOf, type ServedTexts, servedTexts, type TextModels } from './text-model.js';
import { textsCall } from './texts-call.js';

/** Texts of one call in flight, at least; else four batches of its model. */
const LEAST_IN_FLIGHT = 64;

/** What calls of texts use of the server they came to. */
export interface TextsServer extends TextModels {
  readonly offload: Offload;
}

/** What is known of a call beside its texts. */
export interface TextsContext extends RequestContext {
  readonly server: TextsServer;
  /** Aborts when the client goes away. */
  signal(): AbortSignal;
}

/** What a request of texts asks for. */
export interface AskedTexts<T> {
  readonly model: string;
  readonly tasks: readonly TextTask[];
  readonly texts: readonly TextInput[];
  readonly truncate?: boolean | undefined;
  readonly direction?: TruncationDirection | undefined;
  readonly promptName?: string | undefined;
  /** How vectors are to be written, where the protocol has several ways. */
  readonly encodingFormats?: readonly string[];
  /** What is kept of the response of a text. */
  readonly take: (response: InferenceResponse, served: ServedTexts, tokens: number) => T;
  readonly encode: (taken: readonly T[], served: ServedTexts, figures: TextFigures) => Uint8Array | string;
}

/** As OpenTelemetry's conventions name them, where they do. */
const OPERATIONS = { embed: 'embeddings', sparse: 'embeddings', rerank: 'rerank', classify: 'classify' } as const;

/** The call of texts: each as tokens, each a request. Rejects with what names of models and texts are refused with. */
export async function callOfTexts<T>(asked: AskedTexts<T>, context: TextsContext): Promise<DecodedCall> {
  const { server } = context;
  const served = await servedTexts(server, asked.model, asked.tasks);
  const { spec, text } = served;
  const choice = {
    truncate: asked.truncate ?? text.autoTruncate,
    direction: asked.direction ?? text.truncationDirection,
    prompt: promptOf(text, asked.promptName),
    addSpecial: true,
    withTokens: false,
  };
  const begunNs = context.nowNs();
  const tokenized = await textsAsTokens(server.offload, text, asked.texts, choice, context.signal());
  const figures = new TextFigures(context, begunNs, asked.texts, tokenized);
  const use: TextUse = {
    operation: OPERATIONS[text.task],
    requestModel: asked.model,
    inputTokens: figures.tokens,
    encodingFormats: asked.encodingFormats,
  };
  const own = { ...context, model: spec.id.model };
  return textsCall<T>({
    count: tokenized.length,
    mostInFlight: Math.max(LEAST_IN_FLIGHT, 4 * spec.maxBatchSize),
    request: (index, version) => textRequest(spec, text, at(tokenized, index), { ...own, version }, use),
    take: (response, index) => {
      figures.took(response.latency);
      return asked.take(response, served, at(tokenized, index).ids.length);
    },
    encode: (taken) => asked.encode(taken, served, figures),
    headers: () => figures.headers(),
  });
}

function at(texts: readonly TokenizedText[], index: number): TokenizedText {
  return texts[index] as TokenizedText;
}
