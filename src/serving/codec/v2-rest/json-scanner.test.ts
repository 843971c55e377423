import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonScanner } from './json-scanner.js';

/** The number at the start of a text and where it ends; undefined where it is refused. */
function read(text: string): { readonly value: number | bigint; readonly end: number } | undefined {
  const scan = new JsonScanner(Buffer.from(text));
  try {
    return { value: scan.number('test'), end: scan.at };
  } catch {
    return undefined;
  }
}

describe('a number of JSON', () => {
  it.each([
    ['0', 0, 1],
    ['-0', -0, 2],
    ['7,', 7, 1],
    [' 64]', 64, 3],
    ['999999999999999', 999999999999999, 15],
    ['9007199254740991', 9007199254740991, 16],
    ['9007199254740993', 9007199254740993n, 16],
    ['1.50', 1.5, 4],
    ['1e3', 1000, 3],
    ['12E+2', 1200, 5],
    ['0.25', 0.25, 4],
    ['-12', -12, 3],
  ])('%j is %s', (text, value, end) => {
    expect(read(text)).toEqual({ value, end });
  });

  it.each(['', '-', '.5', '1.', '1.x', '1e', 'x', '+1', '1e999', '"1"'])('%j is none', (text) => {
    expect(read(text)).toBeUndefined();
  });

  it('has no zero before its other digits', () => {
    // The zero is the number: what follows is refused by whoever reads on.
    expect(read('012')).toEqual({ value: 0, end: 1 });
    expect(read('00')).toEqual({ value: 0, end: 1 });
  });

  it('is what JSON.parse says, for every integer that a double holds', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.constantFrom('', ' ', ',', ']', '}'), (value, after) => {
        expect(read(`${value}${after}`)).toEqual({ value, end: String(value).length });
      }),
    );
  });
});
