import { ServingError, type TokenText } from '../../../core/index.js';
import { textsAsTokens } from '../../tokenizer/index.js';
import type { TextsServer } from './asked-texts.js';
import { anyTexts, promptOf } from './text-model.js';

/** Most bytes of a call that runs no model, and characters of its texts; text-embeddings-inference's limit of a body. */
export const MOST_CALL_BYTES = 2_000_000;

/** The tokens of a text, each with what the vocabulary calls it. */
export interface ShownTokens {
  readonly ids: Int32Array;
  readonly tokens: readonly TokenText[];
}

/** Texts whose tokens are asked for. */
export interface AskedTokens {
  readonly model: string;
  readonly texts: readonly string[];
  readonly addSpecial: boolean;
  readonly promptName: string | undefined;
}

/** The tokens of texts. How long a text may be is the model's business, not the tokenizer's. */
export async function tokensOfTexts(
  server: TextsServer,
  asked: AskedTokens,
  signal?: AbortSignal,
): Promise<readonly ShownTokens[]> {
  const { text } = await anyTexts(server, asked.model);
  const characters = asked.texts.reduce((sum, one) => sum + one.length, 0);
  if (characters > MOST_CALL_BYTES)
    throw new ServingError(
      'BODY_TOO_LARGE',
      `expected texts of at most ${MOST_CALL_BYTES} characters together, found ${characters}`,
    );
  const choice = {
    truncate: false,
    direction: text.truncationDirection,
    prompt: promptOf(text, asked.promptName),
    addSpecial: asked.addSpecial,
    withTokens: true,
  };
  const unlimited = { tokenizer: text.tokenizer, maxTokens: MOST_CALL_BYTES };
  const tokenized = await textsAsTokens(server.offload, unlimited, asked.texts, choice, signal);
  return tokenized.map(({ ids, tokens }) => ({ ids, tokens: tokens ?? [] }));
}

/** The texts of token ids. */
export async function textsOfTokens(
  server: TextsServer,
  model: string,
  texts: readonly Int32Array[],
  skipSpecial: boolean,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const { tokenizer } = (await anyTexts(server, model)).text;
  return server.offload.run('detokenize', { tokenizer, texts, skipSpecial }, signal);
}
