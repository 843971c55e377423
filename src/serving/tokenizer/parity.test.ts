import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type LoadedTokenizer, loadTokenizer } from './loaded-tokenizer.js';
import { truncated } from './truncation.js';

const TOKENIZERS = resolve(import.meta.dirname, '../../../test/fixtures/tokenizers');
/** A folder of vectors in place of those of the tree: thousands of strings (make_tokenizers.py). */
const VECTORS = process.env.PENSTOCK_TOKENIZER_VECTORS ?? TOKENIZERS;

interface Encoded {
  readonly ids: readonly number[];
  readonly types: readonly number[];
}

interface Pair extends Encoded {
  readonly first: string;
  readonly second: string;
}

interface Cut extends Pair {
  readonly most: number;
  readonly side: 'left' | 'right';
  readonly alone: readonly number[];
}

interface Vectors {
  readonly texts: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly offsets: readonly number[];
    readonly decoded: string;
  }[];
  readonly pairs: readonly Pair[];
  readonly cut: readonly Cut[];
}

/**
 * What differs from the vectors, as few as a reader can look at; none where it is less than one in a thousand: of segmentations that are
 * equally likely (a row of one character, in Unigram) the libraries take different ones.
 */
function differing<T extends object, U>(cases: readonly T[], ours: (one: T) => U, theirs: (one: T) => U): object[] {
  const found = cases
    .map((one) => ({ ...one, ours: ours(one), theirs: theirs(one) }))
    .filter(({ ours: a, theirs: b }) => JSON.stringify(a) !== JSON.stringify(b));
  return found.length <= cases.length / 1000 ? [] : found.slice(0, 5);
}

function around(
  tokenizer: LoadedTokenizer,
  first: string,
  second: string | undefined,
  most: number,
  side: Cut['side'],
) {
  const added = tokenizer.special.count(second !== undefined);
  const pair = second === undefined ? undefined : tokenizer.encode(second);
  const { ids, types } = tokenizer.special.around(...truncated(tokenizer.encode(first), pair, most - added, side));
  return { ids, types };
}

describe.each(['wordpiece', 'bpe', 'unigram', 'sentencepiece'])(
  "a %s tokenizer, beside Hugging Face's own library",
  (kind) => {
    const tokenizer = loadTokenizer(readFileSync(join(TOKENIZERS, `${kind}.json`), 'utf8'));
    const vectors = JSON.parse(readFileSync(join(VECTORS, `${kind}.vectors.json`), 'utf8')) as Vectors;
    const whole = Number.POSITIVE_INFINITY;

    it('makes the same tokens of texts, and the same texts of tokens', () => {
      expect(vectors.texts.length).toBeGreaterThanOrEqual(300);
      expect(
        differing(
          vectors.texts,
          ({ text }) => around(tokenizer, text, undefined, whole, 'right').ids,
          ({ ids }) => ids,
        ),
      ).toEqual([]);
      expect(
        differing(
          vectors.texts,
          ({ ids }) => tokenizer.decode(ids, true),
          ({ decoded }) => decoded,
        ),
      ).toEqual([]);
    });

    it('finds where tokens stand as it does, wherever it says so at all', () => {
      const placed = vectors.texts.filter(({ text, ids }) => {
        const found = tokenizer.aligned(text)?.map(({ id }) => id);
        return (
          found !== undefined && JSON.stringify(tokenizer.special.around(found, undefined).ids) === JSON.stringify(ids)
        );
      });
      expect(placed.length).toBeGreaterThanOrEqual(vectors.texts.length * 0.99);
      const places = (text: string) => tokenizer.aligned(text)?.flatMap(({ start, stop }) => [start, stop]);
      expect(placed.filter(({ text, offsets }) => JSON.stringify(places(text)) !== JSON.stringify(offsets))).toEqual(
        [],
      );
    });

    it('puts the same special tokens around pairs, and tells them apart as it does', () => {
      const { pairs } = vectors;
      expect(pairs.length).toBeGreaterThanOrEqual(60);
      expect(
        differing<Pair, Encoded>(
          pairs,
          ({ first, second }) => around(tokenizer, first, second, whole, 'right'),
          ({ ids, types }) => ({ ids, types }),
        ),
      ).toEqual([]);
    });

    it('cuts texts and pairs at the same tokens, from either side', () => {
      expect(
        differing<Cut, Encoded>(
          vectors.cut,
          ({ first, second, most, side }) => around(tokenizer, first, second, most, side),
          ({ ids, types }) => ({ ids, types }),
        ),
      ).toEqual([]);
      expect(
        differing(
          vectors.cut,
          ({ first, most, side }) => around(tokenizer, first, undefined, most, side).ids,
          ({ alone }) => alone,
        ),
      ).toEqual([]);
    });
  },
);
