import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Offload, TextInput, TokenizeInput, TokenizerSource } from '../../core/index.js';
import { textsAsTokens } from './index.js';
import { detokenize, inspectTokenizer, tokenize } from './tokenizer-tasks.js';

function sourceOf(text: string): TokenizerSource {
  const bytes = new TextEncoder().encode(text);
  const json = new SharedArrayBuffer(bytes.byteLength);
  new Uint8Array(json).set(bytes);
  return { key: text, json };
}

const file = (name: string) =>
  readFileSync(new URL(`../../../test/fixtures/tokenizers/${name}.json`, import.meta.url), 'utf8');
const WORDPIECE = sourceOf(file('wordpiece'));

function asked(texts: readonly TextInput[], changes: Partial<TokenizeInput> = {}): TokenizeInput {
  return {
    tokenizer: WORDPIECE,
    texts,
    prompt: '',
    addSpecial: true,
    maxTokens: 16,
    truncate: false,
    direction: 'right',
    firstIndex: 0,
    withTokens: false,
    ...changes,
  };
}

const wordpiece = JSON.parse(file('wordpiece'));
const changed = (changes: object) => sourceOf(JSON.stringify({ ...wordpiece, ...changes }));

describe('texts as tokens', () => {
  it('lie one after another, with what a prompt puts before them', () => {
    const { ids, types, ends, tokens } = tokenize(asked(['a', 'b'], { prompt: 'q ', withTokens: true }));
    expect(ends).toEqual([4, 8]);
    expect(types).toBeUndefined();
    expect(tokens!.slice(0, 4).map(({ text }) => text)).toEqual(['[CLS]', 'q', 'a', '[SEP]']);
    expect(tokens!.map(({ special }) => special)).toEqual([true, false, false, true, true, false, false, true]);
    expect(ids).toHaveLength(8);
    expect([...tokenize(asked([['a', 'b']], { prompt: 'q ' })).types!]).toEqual([0, 0, 0, 1, 1]);
  });

  it('are told with the bytes that they stand for, the prompt included', () => {
    const placed = (text: string, changes: Partial<TokenizeInput> = {}) =>
      tokenize(asked([text], { withTokens: true, ...changes })).tokens!.map(({ text, start, stop }) => [
        text,
        start,
        stop,
      ]);
    expect(placed('É漢 a😀', { prompt: 'q: ' })).toEqual([
      ['[CLS]', undefined, undefined],
      ['q', 0, 1],
      [':', 1, 2],
      ['É', 3, 5],
      ['漢', 5, 8],
      ['a😀', 9, 14],
      ['[SEP]', undefined, undefined],
    ]);
    expect(placed('[MASK]', { addSpecial: false })).toEqual([['[MASK]', 0, 6]]);
    const special = tokenize(asked(['[MASK]'], { withTokens: true })).tokens!.map((one) => one.special);
    expect(special).toEqual([true, false, true]);
  });

  it('are told without places where those are not known: half a character, tokens that take spaces along, other steps', () => {
    const places = (text: string, tokenizer = WORDPIECE) =>
      tokenize(asked([text], { withTokens: true, addSpecial: false, tokenizer })).tokens!.map(({ start }) => start);
    expect(places('a \ud800 b')).toEqual([undefined, undefined, undefined].slice(0, places('a \ud800 b').length));
    const mask = { id: 4, content: '[MASK]', lstrip: true, special: true };
    expect(places('a [MASK]', changed({ added_tokens: [mask] }))).toEqual([undefined, undefined]);
    const removed = changed({ pre_tokenizer: { type: 'Punctuation', behavior: 'Removed' } });
    expect(places('a,b', removed).length).toBeGreaterThan(0);
    expect(places('a,b', removed).every((one) => one === undefined)).toBe(true);
    expect(places('a b')).toEqual([0, 2]);
  });

  it('of a long row of marks are not placed, and of many spaces in time that grows with them', () => {
    const nfc = changed({ normalizer: { type: 'NFC' } });
    const marks = `a${'\u0316\u0301'.repeat(1000)}`;
    const input = { withTokens: true, addSpecial: false, maxTokens: 1e6 } as const;
    expect(tokenize(asked([marks], { ...input, tokenizer: nfc })).tokens).toEqual([{ text: '[UNK]', special: false }]);
    expect(tokenize(asked([`${' '.repeat(20_000)}a`], input)).tokens![0]).toMatchObject({ start: 20_000 });
  });

  it('that are tokens already stay as they are, cut where that is asked', () => {
    const ids = Int32Array.from({ length: 20 }, (_, i) => i);
    expect([...tokenize(asked([{ ids }], { truncate: true, direction: 'left' })).ids]).toEqual([...ids.slice(4)]);
    expect(() => tokenize(asked([{ ids }], { firstIndex: 3 }))).toThrow('text 3: expected at most 16 tokens, found 20');
    expect(() => tokenize(asked([{ ids: Int32Array.of(1, 800) }]))).toThrow(/below 800, found 800/);
  });

  it('are not read where they are far too long: refused, or cut before', () => {
    const long = 'batch '.repeat(1_000_000);
    expect(() => tokenize(asked([long]))).toThrow('text 0: expected at most 16 tokens, found 6000000 characters');
    expect(tokenize(asked([long], { truncate: true })).ids).toHaveLength(16);
    expect(
      tokenize(asked([`${long}end`], { truncate: true, direction: 'left', withTokens: true })).tokens!.at(-2)!.text,
    ).toBe('end');
  });

  it('are read in several tasks where they are many and long, and number on', async () => {
    const seen: number[][] = [];
    const offload = {
      run: async (_task: string, input: TokenizeInput) => {
        seen.push([input.firstIndex, input.texts.length]);
        return tokenize(input);
      },
    } as unknown as Offload;
    const texts = Array.from({ length: 40 }, (_, i) => `${i} ${'x '.repeat(3000)}`);
    const choice = { truncate: true, direction: 'right', prompt: '', addSpecial: true, withTokens: false } as const;
    const made = await textsAsTokens(offload, { tokenizer: WORDPIECE, maxTokens: 16 }, texts, choice);
    expect(seen.length).toBeGreaterThan(2);
    expect(made).toHaveLength(40);
    const alone = await textsAsTokens(offload, { tokenizer: WORDPIECE, maxTokens: 16 }, texts.slice(33, 34), choice);
    expect([...made[33]!.ids]).toEqual([...alone[0]!.ids]);
    const strict = textsAsTokens(offload, { tokenizer: WORDPIECE, maxTokens: 16 }, ['a', ...texts], {
      ...choice,
      truncate: false,
    });
    await expect(strict).rejects.toThrow(/^text 1: expected at most 16 tokens/);
  });

  it('are texts again', () => {
    const ids = tokenize(asked(['hello there'])).ids;
    expect(detokenize({ tokenizer: WORDPIECE, texts: [ids], skipSpecial: true })).toEqual(['hello there']);
    expect(detokenize({ tokenizer: WORDPIECE, texts: [Int32Array.of(2)], skipSpecial: true })).toEqual(['']);
    expect(() => detokenize({ tokenizer: WORDPIECE, texts: [Int32Array.of(-1)], skipSpecial: true })).toThrow(
      /found -1/,
    );
  });
});

describe('a tokenizer', () => {
  it('is known by loading it', () => {
    expect(inspectTokenizer({ tokenizer: WORDPIECE })).toEqual({
      vocabularySize: 800,
      padId: 0,
      maxLength: undefined,
      specialTokens: 2,
      specialTokensOfPair: 3,
    });
    const told = changed({ truncation: { max_length: 99 }, padding: { pad_id: 5 } });
    expect(inspectTokenizer({ tokenizer: told })).toMatchObject({ maxLength: 99, padId: 5 });
    expect(inspectTokenizer({ tokenizer: sourceOf(file('unigram')) })).toMatchObject({
      padId: 1,
      specialTokensOfPair: 4,
    });
  });

  it.each([
    ['[]', /expected a JSON object/],
    ['{', /not JSON/],
    [JSON.stringify({ ...wordpiece, model: { type: 'WordLevel' } }), /expected WordPiece, BPE, Unigram/],
    [JSON.stringify({ ...wordpiece, pre_tokenizer: { type: 'Nothing' } }), /Nothing/],
    [
      JSON.stringify({ ...wordpiece, post_processor: { type: 'Nothing' } }),
      /post_processor: expected .* found "Nothing"/,
    ],
    [
      JSON.stringify({ ...wordpiece, post_processor: { type: 'TemplateProcessing', single: 1 } }),
      /expected a list in single/,
    ],
    [
      JSON.stringify({
        ...wordpiece,
        post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '[X]' } }], pair: [] },
      }),
      /ids of the special token '\[X\]'/,
    ],
  ])('that cannot be used is refused: %.30s', (text, why) => {
    expect(() => inspectTokenizer({ tokenizer: sourceOf(text) })).toThrow(why);
  });
});
