import type { PrecompiledCharsmap } from '../precompiled-charsmap.js';

/** What of the library's steps is used to find where tokens stand. Each is told apart by the `type` of its config. */
export interface LibraryNormalizer {
  readonly config: {
    readonly type?: string;
    readonly precompiled_charsmap?: string | null;
    readonly clean_text?: boolean;
    readonly handle_chinese_chars?: boolean;
    readonly strip_accents?: boolean | null;
    readonly lowercase?: boolean;
    readonly content?: string;
    readonly prepend?: string;
    readonly strip_left?: boolean;
    readonly strip_right?: boolean;
  };
  readonly normalizers?: readonly (LibraryNormalizer | null)[];
  /** Of `Replace`. */
  readonly pattern?: RegExp | string | null;
  normalize: (text: string) => string;
  /** Of `BertNormalizer`. */
  clean_text?(text: string): string;
  tokenize_chinese_chars?: (text: string) => string;
}

export interface LibraryPreTokenizer {
  readonly tokenizers?: readonly (LibraryPreTokenizer | null)[];
  pre_tokenize_text: (text: string, options: object) => readonly string[];
  /** Of `ByteLevel`, `Split` and others: what it looks for. */
  pattern?: RegExp | string | null;
  readonly replacement?: string;
  readonly str_rep?: string;
  readonly add_prefix_space?: boolean;
}

export interface LibraryModel {
  readonly config: {
    readonly type?: string;
    readonly continuing_subword_prefix?: string | null;
    readonly end_of_word_suffix?: string | null;
    readonly continuing_subword_suffix?: string | null;
    readonly byte_fallback?: boolean;
    readonly ignore_merges?: boolean;
  };
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  readonly unk_token: string | null | undefined;
  readonly unk_token_id: number | undefined;
  readonly fuse_unk: boolean;
  /** Pieces as tokens, unknown ones in a row joined where the model says so. */
  _call: (pieces: readonly string[]) => readonly string[];
  /** Pieces as tokens, unknown ones not joined yet. */
  encode(pieces: readonly string[]): readonly string[];
  /** Of `BPE`: a piece as its parts, known or not. */
  bpe?(piece: string): readonly string[];
}

interface LibraryAddedToken {
  readonly id: number;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly single_word: boolean;
}

/** The library's tokenizer, the parts of it that its own types do not tell. */
export interface LibraryTokenizer {
  readonly normalizer: LibraryNormalizer | null;
  readonly pre_tokenizer: LibraryPreTokenizer | null;
  readonly model: LibraryModel;
  readonly added_tokens_map: ReadonlyMap<string, LibraryAddedToken>;
  readonly splitter_unnormalized: { split(text: string): readonly string[] };
  readonly splitter_normalized: { split(text: string): readonly string[] };
}

/** Tables that took the place of the library's approximation, by their step. */
export type Charsmaps = ReadonlyMap<LibraryNormalizer, PrecompiledCharsmap>;

/** Where tokens stand cannot be known: of a step, or of a text. */
export class Unaligned extends Error {}
