import type {
  Offload,
  TextInput,
  TextModel,
  TokenizedTexts,
  TokenText,
  TruncationDirection,
} from '../../core/index.js';

/** What a request says of how its texts become tokens. */
export interface TokenizeChoice {
  readonly truncate: boolean;
  readonly direction: TruncationDirection;
  /** Put before each single text. */
  readonly prompt: string;
  readonly addSpecial: boolean;
  readonly withTokens: boolean;
}

/** One text as tokens. Views of what its neighbours lie in too. */
export interface TokenizedText {
  readonly ids: Int32Array;
  readonly types: Int32Array | undefined;
  readonly tokens: readonly TokenText[] | undefined;
}

/** Characters a token stands for at most before a text counts as too long without being read (text-embeddings-inference's). */
export const CHARACTERS_A_TOKEN = 250;

/** Characters of one task: many long texts of one request let those of others in between. */
const CHARACTERS_A_TASK = 64 * 1024;

/**
 * Texts as tokens, in the order they came, by threads of the pool. Rejects with what `OffloadTasks.tokenize` says, OVERLOADED where
 * the pool is full, CLIENT_CANCELLED where `signal` aborted.
 */
export async function textsAsTokens(
  offload: Offload,
  { tokenizer, maxTokens }: Pick<TextModel, 'tokenizer' | 'maxTokens'>,
  texts: readonly TextInput[],
  choice: TokenizeChoice,
  signal?: AbortSignal,
): Promise<readonly TokenizedText[]> {
  const { truncate, direction, prompt, addSpecial, withTokens } = choice;
  const tokenized: TokenizedText[] = [];
  for (let firstIndex = 0; firstIndex < texts.length; ) {
    const part = taskFrom(texts, firstIndex);
    const input = {
      tokenizer,
      texts: part,
      prompt,
      addSpecial,
      maxTokens,
      truncate,
      direction,
      firstIndex,
      withTokens,
    };
    addTo(tokenized, await offload.run('tokenize', input, signal));
    firstIndex += part.length;
  }
  return tokenized;
}

/** The texts from `first` on that one task takes: one at least. */
function taskFrom(texts: readonly TextInput[], first: number): readonly TextInput[] {
  let characters = 0;
  let end = first;
  while (end < texts.length && (end === first || characters < CHARACTERS_A_TASK)) {
    characters += sizeOf(texts[end] as TextInput);
    end++;
  }
  return texts.slice(first, end);
}

function sizeOf(text: TextInput): number {
  if (typeof text === 'string') return text.length;
  return 'ids' in text ? text.ids.length : text[0].length + text[1].length;
}

function addTo(tokenized: TokenizedText[], { ids, types, ends, tokens }: TokenizedTexts): void {
  let start = 0;
  for (const end of ends) {
    tokenized.push({
      ids: ids.subarray(start, end),
      types: types?.subarray(start, end),
      tokens: tokens?.slice(start, end),
    });
    start = end;
  }
}
