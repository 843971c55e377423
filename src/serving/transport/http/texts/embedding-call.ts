import type { InferenceResponse, TextInput, TextTask, TruncationDirection } from '../../../../core/index.js';
import { decodeTextBody, type TextBody, type TextBodyKind, textRequest } from '../../../codec/index.js';
import { type TokenizedText, textsAsTokens } from '../../../tokenizer/index.js';
import type { DecodedCall, FormContext } from '../form/infer-form.js';
import { promptOf, type ServedTexts, servedTexts } from './text-model.js';
import { textsCall } from './texts-call.js';

/** Texts of one call in flight, at least; else four batches of its model. */
const LEAST_IN_FLIGHT = 64;

/** Reads a body of texts; large ones on a pool thread. Rejects with what `decodeTextBody` throws. */
export async function textBody<K extends TextBodyKind>(
  kind: K,
  body: Uint8Array,
  context: FormContext,
): Promise<TextBody<K>> {
  const { offload, offloadJsonBytes, texts } = context.server;
  if (body.byteLength < offloadJsonBytes) return decodeTextBody(kind, body, texts.maxClientBatchSize);
  const input = { kind, body: context.ownedBody(), most: texts.maxClientBatchSize };
  return (await offload.run('decodeTexts', input, context.signal())) as TextBody<K>;
}

/** What a request of texts asks for. */
export interface AskedTexts<T> {
  readonly model: string;
  readonly tasks: readonly TextTask[];
  readonly texts: readonly TextInput[];
  readonly truncate?: boolean | undefined;
  readonly direction?: TruncationDirection | undefined;
  readonly promptName?: string | undefined;
  /** What is kept of the response of a text. */
  readonly take: (response: InferenceResponse, served: ServedTexts, tokens: number) => T;
  readonly encode: (taken: readonly T[], served: ServedTexts, tokens: number) => string;
}

/** The call of texts: each as tokens, each a request. */
export async function callOfTexts<T>(asked: AskedTexts<T>, context: FormContext): Promise<DecodedCall> {
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
  const tokenized = await textsAsTokens(server.offload, text, asked.texts, choice, context.signal());
  const tokens = tokenized.reduce((sum, { ids }) => sum + ids.length, 0);
  const own = { ...context, model: spec.id.model };
  return textsCall<T>({
    count: tokenized.length,
    mostInFlight: Math.max(LEAST_IN_FLIGHT, 4 * spec.maxBatchSize),
    request: (index, version) => textRequest(spec, text, at(tokenized, index), { ...own, version }),
    take: (response, index) => asked.take(response, served, at(tokenized, index).ids.length),
    encode: (taken) => asked.encode(taken, served, tokens),
  });
}

function at(texts: readonly TokenizedText[], index: number): TokenizedText {
  return texts[index] as TokenizedText;
}
