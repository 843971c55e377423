import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minisign, readPublicKey, verifyMinisign, writePublicKey } from './minisign.js';

/** Made by py-minisign 0.13 (PyPI). */
const KEY =
  'untrusted comment: minisign public key 3DA118E05F5B1882\nRWQ9oRjgX1sYgjQl/PW8OEajpkN7kCe0f7kpKJFxpRSpuAuKqLW8NCOF';
const TEXT = Buffer.from(`${'0'.repeat(64)}  model.onnx\n`);
const PREHASHED =
  'untrusted comment: signature from minisign secret key\n' +
  'RUQ9oRjgX1sYgsl25yX9zOeeqSFmvxiFV6s7tqmj4MWHSaHI3JEehD4ZeP0dz7KD8XgevXV+UEY0e82Cg1HrgziX/XRSlALoVg8=\n' +
  'trusted comment: a comment of its own\n' +
  'pNXQVGdAid9RAkT2i7cHrxBvcnhM8pOjep1tsoc4r80AKuspSkjaVXoePNv5aVbm733U0rn8eJLhXyH02liuAw==';
const LEGACY =
  'untrusted comment: signature from minisign secret key\n' +
  'RWQ9oRjgX1sYgh+EZmz2rwsRxUkUoS9yElkYuiqCgXrEBwKLJTZURjLhIxE4ec/1sdlmjE4PcIvfwyljoTvhFAoT9Hfo68xd9Qc=\n' +
  'trusted comment: legacy one\n' +
  'VgTb5lDEqxgqvUbX/bMBqpmPFIiR93gmO6+yAbYbJpzEeM/1qRkI++ZBSk+sSgycFK1GCbXM1eQnaUkXGyHOAg==';

const trusted = readPublicKey(KEY, 'key');

describe('signatures of minisign', () => {
  it.each([
    ['prehashed', PREHASHED, 'a comment of its own'],
    ['legacy', LEGACY, 'legacy one'],
  ])('count as minisign made them: %s', (_, signature, comment) => {
    expect(verifyMinisign(TEXT, signature, [trusted])).toEqual({ valid: true, comment });
    expect(verifyMinisign(Buffer.from('other'), signature, [trusted])).toMatchObject({ valid: false });
    const forged = signature.replace(comment, `${comment}!`);
    expect(verifyMinisign(TEXT, forged, [trusted])).toMatchObject({
      why: 'its comment is not the one that was signed',
    });
    expect(verifyMinisign(TEXT, signature, [])).toMatchObject({ why: 'key 82185B5FE018A13D is not trusted' });
  });

  it('count only where nothing was changed, of keys of ours too', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const key = readPublicKey(writePublicKey(privateKey), 'key');
    const signature = minisign(TEXT, createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' })), 'of us');
    expect(verifyMinisign(TEXT, signature, [trusted, key])).toEqual({ valid: true, comment: 'of us' });
    const [head = '', line = '', ...rest] = signature.split('\n');
    fc.assert(
      fc.property(fc.nat(73), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = Buffer.from(line, 'base64');
        bytes[at] = (bytes[at] as number) ^ flip;
        return !verifyMinisign(TEXT, [head, bytes.toString('base64'), ...rest].join('\n'), [key]).valid;
      }),
    );
  });

  it.each(['', 'nonsense', 'a\nb\nc\nd', `${PREHASHED.split('\n').slice(0, 2).join('\n')}`])('are none: %j', (text) => {
    expect(verifyMinisign(TEXT, text, [trusted])).toMatchObject({ valid: false });
  });

  it('name a key as minisign does', () => {
    // The key of minisign's own releases (https://jedisct1.github.io/minisign/).
    const own = 'RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3';
    expect(readPublicKey(own, 'key').id).toBe('E7620F1842B4E81F');
  });

  it('need a public key that is one', () => {
    expect(() => readPublicKey('RWQ9oRjgX1sYgjQl', 'short.pub')).toThrow('short.pub: not a public key of minisign');
  });
});
