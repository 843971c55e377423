import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { normalizeExactly } from './exact-normalizer.js';
import { splitExactly } from './exact-pieces.js';
import { loadTokenizer } from './loaded-tokenizer.js';
import { normalized } from './offsets/aligned-normalizer.js';
import { type PreTokenizerConfig, piecesOf } from './offsets/aligned-pieces.js';
import { AlignedText } from './offsets/aligned-text.js';
import { type LibraryTokenizer, Unaligned } from './offsets/library.js';

const VECTORS =
  process.env.PENSTOCK_TOKENIZER_VECTORS ?? resolve(import.meta.dirname, '../../../test/fixtures/tokenizers');

interface Step {
  readonly pre_tokenizer?: PreTokenizerConfig;
  readonly normalizer?: object;
  /** What Hugging Face's own library makes of each text. */
  readonly made: readonly (string | readonly string[])[];
}

const { texts, steps } = JSON.parse(readFileSync(join(VECTORS, 'steps.vectors.json'), 'utf8')) as {
  readonly texts: readonly string[];
  readonly steps: readonly Step[];
};

const MODEL = { type: 'WordPiece', unk_token: '?', vocab: { '?': 0 } };

function exact({ pre_tokenizer = undefined, normalizer = undefined }: Partial<Step>): LibraryTokenizer {
  const json = { model: MODEL, normalizer: normalizer ?? null, pre_tokenizer: pre_tokenizer ?? null };
  const made = new Tokenizer({ ...json, added_tokens: [], decoder: null, post_processor: null }, {});
  const library = made as unknown as LibraryTokenizer;
  normalizeExactly(library.normalizer, new Map());
  splitExactly(pre_tokenizer ?? null, library.pre_tokenizer);
  return library;
}

/** Texts of which a step makes something else than Hugging Face's own. */
function differing(step: Step, make: (text: string) => unknown): object[] {
  return texts
    .map((text, i) => ({ text, ours: make(text), theirs: step.made[i] }))
    .filter(({ ours, theirs }) => ours !== undefined && JSON.stringify(ours) !== JSON.stringify(theirs))
    .slice(0, 5);
}

const named = (step: Step) => JSON.stringify(step.pre_tokenizer ?? step.normalizer);

/** Undefined: where it stands is not known. */
function aligned<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (thrown) {
    if (thrown instanceof Unaligned) return undefined;
    throw thrown;
  }
}

describe.each(steps.map((step) => [named(step), step] as const))('%s, as Python has it', (_, step) => {
  const library = exact(step);
  const { pre_tokenizer: config = null } = step;
  const make = (text: string) =>
    config === null
      ? library.normalizer?.normalize(text)
      : library.pre_tokenizer?.pre_tokenize_text(text, { section_index: 0 }).flat();

  it('makes the same of texts', () => {
    expect(texts.length).toBeGreaterThanOrEqual(200);
    expect(differing(step, make)).toEqual([]);
  });

  // What is removed, other than white space, is not looked for.
  it.runIf(config?.behavior !== 'Removed')('does it again with places, for nearly all texts', () => {
    const again = (text: string) =>
      aligned(() =>
        config === null
          ? normalized(library.normalizer, AlignedText.of(text, 0), new Map()).text
          : piecesOf(config, library.pre_tokenizer, AlignedText.of(text, 0), 0).map((piece) => piece.text),
      );
    expect(differing(step, again)).toEqual([]);
    expect(texts.filter((text) => again(text) !== undefined).length).toBeGreaterThanOrEqual(texts.length * 0.99);
  });
});

describe('a tokenizer whose steps cannot be done', () => {
  const load = (json: object) => () =>
    loadTokenizer(JSON.stringify({ model: MODEL, normalizer: null, pre_tokenizer: null, ...json }));
  const split = { type: 'Split', pattern: { String: 'a' }, behavior: 'Isolated', invert: false };

  it.each([
    ['a pre-tokenizer that is not served', { pre_tokenizer: { type: 'UnicodeScripts' } }, /UnicodeScripts/],
    ['another', { pre_tokenizer: { type: 'CharDelimiterSplit', delimiter: '-' } }, /CharDelimiterSplit/],
    ['a normalizer that is not served', { normalizer: { type: 'Nmt' } }, /Nmt/],
    ['a way to split that there is not', { pre_tokenizer: { ...split, behavior: 'isolated' } }, /"isolated"/],
    ['no pattern', { pre_tokenizer: { ...split, pattern: { None: 'a' } } }, /expected a pattern/],
  ])('refuses %s when it is loaded', (_, json, message) => {
    expect(load(json)).toThrow(
      expect.objectContaining({ reason: 'MODEL_INVALID', message: expect.stringMatching(message) }),
    );
  });

  it('loads one whose steps are all known', () => {
    expect(load({ pre_tokenizer: split })().encode('b')).toEqual([0]);
  });
});
