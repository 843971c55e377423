import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkModelName, MAX_VERSION, parseVersion } from './names.js';

describe('checkModelName', () => {
  it.each([
    'digits',
    'a',
    'résumé',
    'v1.2-beta_3',
    'a b',
    '模型',
    'x'.repeat(255),
    '型'.repeat(85),
    '__proto__',
    'a..b',
    '%2e%2e',
  ])('takes %j', (name) => {
    expect(checkModelName(name)).toBe(name);
  });

  it.each([
    '',
    '.',
    '..',
    '.hidden',
    '../x',
    'a/b',
    '/',
    'a\\b',
    'a\0',
    'a\nb',
    'a\u007f',
    'a\u0085',
    'x'.repeat(256),
    '型'.repeat(86),
    ' a',
    'a\u00a0',
    'a\ud800',
  ])('refuses %j', (name) => {
    expect(() => checkModelName(name)).toThrowError(expect.objectContaining({ reason: 'MALFORMED_REQUEST' }));
  });

  it('never puts raw control characters or long texts into its message', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (name) => {
        try {
          checkModelName(name);
        } catch (error) {
          // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
          expect((error as Error).message).not.toMatch(/[\u0000-\u001f]/);
          expect((error as Error).message.length).toBeLessThan(600);
        }
      }),
    );
  });
});

describe('parseVersion', () => {
  it.each([
    ['1', 1],
    ['42', 42],
    ['1700000000000', 1_700_000_000_000],
    [String(MAX_VERSION), MAX_VERSION],
  ])('reads %s', (text, version) => {
    expect(parseVersion(text)).toBe(version);
  });

  it.each([
    '',
    '0',
    '01',
    '-1',
    '+1',
    '1.0',
    '1e3',
    ' 1',
    '1 ',
    '0x1',
    '9007199254740992',
    '99999999999999999999',
    '١',
    '1\n',
    'latest',
  ])('refuses %j', (text) => {
    expect(() => parseVersion(text)).toThrowError(expect.objectContaining({ reason: 'MALFORMED_REQUEST' }));
  });
});
