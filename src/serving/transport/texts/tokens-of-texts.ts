import { ServingError, type TokenText } from '../../../core/index.js';
import { CHARACTERS_A_TOKEN, textsAsTokens } from '../../tokenizer/index.js';
import type { TextsServer } from './asked-texts.js';
import { anyTexts, promptOf } from './text-model.js';

/** Most bytes of a call that runs no model; text-embeddings-inference's limit of a body. */
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

/** The tokens of texts, as many as they are; a text may have as many characters as one for the model. Rejects with SHAPE_MISMATCH else. */
export async function tokensOfTexts(
  server: TextsServer,
  asked: AskedTokens,
  signal?: AbortSignal,
): Promise<readonly ShownTokens[]> {
  const { text } = await anyTexts(server, asked.model);
  const prompt = promptOf(text, asked.promptName);
  const most = text.maxTokens * CHARACTERS_A_TOKEN;
  for (const [i, one] of asked.texts.entries())
    if (prompt.length + one.length > most)
      throw new ServingError(
        'SHAPE_MISMATCH',
        `text ${i}: expected at most ${most} characters, found ${prompt.length + one.length}`,
      );
  const choice = {
    truncate: false,
    direction: text.truncationDirection,
    prompt,
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
