import type { PictureBatch, PictureRows } from './image-recipe.js';
import type { ModelSpec, TensorSpec } from './model.js';
import type { TokenizerSource, TruncationDirection } from './text-model.js';

/** Work that would hold a socket thread, done on pool threads. Buffers handed in are transferred: do not touch them again. */
export interface Offload {
  /**
   * Runs a named task of the pool's fixed table. Rejects with a `ServingError` of the task's own, `OVERLOADED` where the
   * pool's queue is full, `CLIENT_CANCELLED` where `signal` aborted it.
   */
  run<K extends keyof OffloadTasks>(
    task: K,
    input: OffloadTasks[K]['input'],
    signal?: AbortSignal,
  ): Promise<OffloadTasks[K]['output']>;
}

/** The tasks and their shapes. Rooms that own a task implement it as a pure function; the pool only carries it. */
export interface OffloadTasks {
  /** Inflates a body; refuses with BODY_TOO_LARGE past `maxBytes`, MALFORMED_REQUEST where the stream is broken. */
  decompress: {
    input: { readonly encoding: 'gzip' | 'deflate'; readonly body: Uint8Array; readonly maxBytes: number };
    output: Uint8Array;
  };
  /** Decodes a large V2 JSON body into tensors; the output's tensors share one buffer. */
  decodeV2Json: {
    input: {
      readonly body: Uint8Array;
      readonly jsonBytes: number;
      readonly allowNan: boolean;
      /** Reply form where the request says nothing. */
      readonly binaryByDefault: boolean;
    };
    output: unknown;
  };
  /** Decodes a large body of `generate` for a model with these inputs. */
  decodeGenerate: {
    input: {
      readonly body: Uint8Array;
      readonly inputs: readonly Pick<TensorSpec, 'name' | 'dataType' | 'dims'>[];
      readonly batched: boolean;
    };
    output: unknown;
  };
  /** Decodes a large JSON body of KServe V1 or TensorFlow Serving for a model with these inputs. */
  decodePredict: {
    input: {
      readonly body: Uint8Array;
      readonly method: 'predict' | 'examples';
      readonly inputs: readonly Pick<TensorSpec, 'name' | 'dataType' | 'optional' | 'dims'>[];
      /** Whether the dimensions are without the batch axis. */
      readonly batched: boolean;
      /** The one whose inputs they are. */
      readonly signature: string;
    };
    output: unknown;
  };
  /** Decodes a large JSON body of a plain route for such a model. */
  decodePlain: {
    input: { readonly body: Uint8Array; readonly model: Pick<ModelSpec, 'id' | 'inputs' | 'maxBatchSize'> };
    output: unknown;
  };
  /** Decodes pictures and makes the elements of an input of them; refuses with MALFORMED_REQUEST, SHAPE_MISMATCH. */
  picturesToRows: { input: PictureBatch; output: PictureRows };
  /** Decodes a large JSON body of texts; `kind`: of which route, `most`: texts that it may have. */
  decodeTexts: {
    input: { readonly kind: string; readonly body: Uint8Array; readonly most: number };
    output: unknown;
  };
  /** Texts as token ids; refuses with SHAPE_MISMATCH a text that is too long, MALFORMED_REQUEST an id that there is not. */
  tokenize: { input: TokenizeInput; output: TokenizedTexts };
  /** Token ids as texts; refuses with MALFORMED_REQUEST an id that there is not. */
  detokenize: {
    input: {
      readonly tokenizer: TokenizerSource;
      readonly texts: readonly Int32Array[];
      readonly skipSpecial: boolean;
    };
    output: readonly string[];
  };
  /** Loads a tokenizer; refuses with MODEL_INVALID one that cannot be used. */
  inspectTokenizer: { input: { readonly tokenizer: TokenizerSource }; output: TokenizerFacts };
}

/** A text, a pair of texts, or a text that is tokens already. */
export type TextInput = string | readonly [string, string] | { readonly ids: Int32Array };

export interface TokenizeInput {
  readonly tokenizer: TokenizerSource;
  readonly texts: readonly TextInput[];
  /** Put before each single text. */
  readonly prompt: string;
  /** Around what is text; tokens stay as they are. */
  readonly addSpecial: boolean;
  /** Most tokens, special ones included. */
  readonly maxTokens: number;
  /** Whether longer texts are cut, and where; else they are refused. */
  readonly truncate: boolean;
  readonly direction: TruncationDirection;
  /** Number of the first text among all of its request, for messages. */
  readonly firstIndex: number;
  /** Whether each token's text is wanted too. */
  readonly withTokens: boolean;
}

/** Several texts as tokens, one after another. */
export interface TokenizedTexts {
  readonly ids: Int32Array;
  /** Which of two texts each belongs to; undefined: all are of the first. */
  readonly types: Int32Array | undefined;
  /** Where each text ends in `ids`. */
  readonly ends: readonly number[];
  /** Of each id, where it was asked for. */
  readonly tokens: readonly TokenText[] | undefined;
}

export interface TokenText {
  /** What it stands for in the text where that is known, else as the vocabulary writes it. */
  readonly text: string;
  /** Put around the text. */
  readonly special: boolean;
  /** Bytes of the text in UTF-8, its prompt included; absent: special, or not known. */
  readonly start?: number;
  readonly stop?: number;
}

export interface TokenizerFacts {
  readonly vocabularySize: number;
  /** What shorter texts of a batch are filled up with. */
  readonly padId: number;
  /** Most tokens of a text as the file says; undefined: it says nothing. */
  readonly maxLength: number | undefined;
  /** Special tokens around a text, and around a pair. */
  readonly specialTokens: number;
  readonly specialTokensOfPair: number;
}
