import { describe, expect, it } from 'vitest';
import { parseTokens, type TokenRow, withoutToken, withToken } from './tokens-file.js';

const HASH = 'ab'.repeat(32);
const row = (name: string): TokenRow => ({ name, scopes: ['rollout'], sha256: HASH });

describe('a tokens file', () => {
  it('gets tokens and loses them, and keeps its comments', () => {
    const first = withToken('# who may do what\n', row('ci'));
    const second = withToken(`${first}# the end\n`, { ...row('labels'), scopes: ['feedback', 'rollout'] });
    expect(parseTokens(second, 'f').map(({ name, scopes }) => [name, scopes])).toEqual([
      ['ci', ['rollout']],
      ['labels', ['feedback', 'rollout']],
    ]);
    expect(second).toMatch(/# who may do what[\s\S]*# the end/);
    const third = withoutToken(second, 'ci');
    expect(parseTokens(third ?? '', 'f').map(({ name }) => name)).toEqual(['labels']);
    const fourth = withoutToken(third ?? '', 'labels');
    expect(parseTokens(fourth ?? '', 'f')).toEqual([]);
    expect(parseTokens(withToken(fourth ?? '', row('again')), 'f')).toHaveLength(1);
    expect(withoutToken(second, 'other')).toBeUndefined();
  });

  it.each(['', 'tokens: []\n', '{"tokens": []}', 'tokens:\n'.replace(':\n', ': []\n')])(
    'may be without tokens: %j',
    (text) => {
      expect(parseTokens(text, 'f')).toEqual([]);
      expect(parseTokens(withToken(text, row('ci')), 'f')).toHaveLength(1);
    },
  );

  it.each([
    [
      `tokens:\n  - name: ci\n    scopes: [root]\n    sha256: ${HASH}`,
      /f:3: tokens\[0\]\.scopes\[0\]: expected one of feedback, rollout, cost, admin/,
    ],
    [`tokens:\n  - name: ci\n    scopes: []\n    sha256: ${HASH}`, /f:3: /],
    ['tokens:\n  - name: ci\n    scopes: [admin]\n    sha256: secret', /f:4: .*expected a SHA-256/],
    [`tokens:\n  - name: ci\n    scopes: [admin]\n    token: abc\n    sha256: ${HASH}`, /f:4: .*unknown field 'token'/],
    [`tokens:\n  - name: a b\n    scopes: [admin]\n    sha256: ${HASH}`, /f:2: .*expected 1 to 64 letters/],
    ['tokens: [', /f:1: /],
    [withToken(withToken('', row('ci')), row('ci')), /f:\d+: the name 'ci' is given twice/],
  ])('is refused with the line at fault: %j', (text, message) => {
    expect(() => parseTokens(text, 'f')).toThrow(message);
    expect(() => parseTokens(text, 'f')).toThrow(expect.objectContaining({ reason: 'MALFORMED_REQUEST' }));
  });

  it('never shows in a message what might be a token', () => {
    const text = 'tokens:\n  - name: ci\n    scopes: [admin]\n    sha256: pst_secretsecretsecret\n';
    expect(() => parseTokens(text, 'f')).toThrow(expect.not.stringContaining('pst_secret'));
  });

  it('holds at most 256', () => {
    let text = '';
    for (let i = 0; i < 256; i++) text = withToken(text, row(`t${i}`));
    expect(() => withToken(text, row('more'))).toThrow(/at most 256/);
  });
});
