/** A `tokenizer.json` as every thread of the process reads it. */
export interface TokenizerSource {
  /** Of its content (SHA-256): threads keep what they loaded by it. */
  readonly key: string;
  /** The file, UTF-8, in shared memory: one copy for all threads, as it was when its model was loaded. */
  readonly json: SharedArrayBuffer;
}

/** What a text model is for: a vector a text, a weight a token of the vocabulary, a score a pair of texts, or scores of classes a text. */
export type TextTask = 'embed' | 'sparse' | 'rerank' | 'classify';

/** How an output of one row is made a vector: of its first token, of all, of the last, of the highest log(1 + relu) of each number (SPLADE), or it is one. */
export type Pooling = 'cls' | 'mean' | 'last' | 'splade' | 'none';

/** How texts become a model's inputs, and its output what is answered for a text. Frozen. */
export interface TextModel {
  readonly task: TextTask;
  readonly tokenizer: TokenizerSource;
  /** Names of inputs, each `[batch, length]` of integers; undefined: the model has no such input. */
  readonly ids: string;
  readonly mask: string | undefined;
  readonly types: string | undefined;
  /** The output that is answered: `[batch, length, size]` where it is pooled, else `[batch, size]` or `[batch]`. */
  readonly output: string;
  readonly pooling: Pooling;
  /** Whether vectors have the length 1 where a request does not say. */
  readonly normalize: boolean;
  /** Most tokens of a text, special ones included. */
  readonly maxTokens: number;
  /** Whether longer texts are cut where a request does not say; else they are refused. */
  readonly autoTruncate: boolean;
  /** The side that is cut off where a request does not say. */
  readonly truncationDirection: TruncationDirection;
  /** What is put before a text, by name. */
  readonly prompts: Readonly<Record<string, string>>;
  /** Name of the one that is taken where a request names none. */
  readonly defaultPrompt: string | undefined;
}

/** What a call of texts was, as traces tell it. One object a call. */
export interface TextUse {
  readonly operation: 'embeddings' | 'rerank' | 'classify';
  /** As the caller named it; empty: it named none. */
  readonly requestModel: string;
  /** Of all its texts. */
  readonly inputTokens: number;
  /** As the caller asked for them; undefined: the protocol has one form. */
  readonly encodingFormats: readonly string[] | undefined;
}

export type TruncationDirection = 'left' | 'right';
