import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../../test/support/onnx-fixtures.js';
import { LAST_USED } from './cache-entry.js';
import { type CompiledFrom, cacheKey } from './cache-key.js';
import { ModelCache } from './model-cache.js';

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'penstock-cache-'));
  folder = join(root, 'models');
});
afterEach(() => rmSync(root, { recursive: true }));

const cacheOf = (maxBytes = 2 ** 30) => new ModelCache({ folder, maxBytes, minModelBytes: 0, log: silentLog });
const fromOf = (model: string): CompiledFrom => ({
  model,
  external: [],
  runtime: { version: '1', build: 'b', libraryBytes: 1 },
  machine: { platform: 'p', cpu: 'c' },
  provider: 'CPUExecutionProvider',
  settings: {},
});
const write = (bytes: number) => async (target: string) => {
  writeFileSync(join(target, 'model.onnx'), Buffer.alloc(bytes));
};
const entries = () => readdirSync(folder).filter((name) => name !== 'digests');
const entryOf = (model: string) => join(folder, cacheKey(fromOf(model)));

describe('the folder of compiled models', () => {
  it('gives an entry to whoever asks for just that one', async () => {
    const cache = cacheOf();
    expect(await cache.find(fromOf('a'))).toBeUndefined();
    expect(await cache.build(fromOf('a'), 10, write(10))).toBe(entryOf('a'));
    expect(await cache.find(fromOf('a'))).toBe(entryOf('a'));
    expect(await cacheOf().find(fromOf('a'))).toBe(entryOf('a'));
    expect(await cache.find(fromOf('b'))).toBeUndefined();
  });

  it('refuses an entry under the name of another', async () => {
    const cache = cacheOf();
    await cache.build(fromOf('a'), 10, write(10));
    renameSync(entryOf('a'), entryOf('b'));
    expect(await cache.find(fromOf('b'))).toBeUndefined();
    expect(entries()).toEqual([]);
  });

  it('is readable by its owner only', async () => {
    await cacheOf().build(fromOf('a'), 10, write(10));
    const mode = (path: string) => statSync(path).mode & 0o777;
    expect([folder, entryOf('a')].map(mode)).toEqual([0o700, 0o700]);
    const files = readdirSync(entryOf('a'));
    expect(files.sort()).toEqual([LAST_USED, 'manifest.json', 'model.onnx']);
    expect(files.map((name) => mode(join(entryOf('a'), name)))).toEqual([0o600, 0o600, 0o600]);
  });

  it.each([
    ['0777', 0o777],
    ['0770', 0o770],
    ['0702', 0o702],
  ])('refuses a folder of mode %s', async (_text, mode) => {
    mkdirSync(folder);
    chmodSync(folder, mode);
    await expect(cacheOf().find(fromOf('a'))).rejects.toThrow(/other users may write it/);
  });

  it('refuses a folder of another user', async () => {
    const own = process.getuid!;
    mkdirSync(folder);
    process.getuid = () => own() + 1;
    try {
      await expect(cacheOf().find(fromOf('a'))).rejects.toThrow(/belongs to user/);
    } finally {
      process.getuid = own;
    }
  });

  it('leaves nothing where a build fails', async () => {
    const full = async (target: string) => {
      await write(5)(target);
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    };
    await expect(cacheOf().build(fromOf('a'), 10, full)).rejects.toThrow(/no space left/);
    expect(entries()).toEqual([]);
    await expect(cacheOf().build(fromOf('a'), 10, async () => {})).rejects.toThrow(/no model.onnx/);
    expect(entries()).toEqual([]);
  });

  it('does not begin what the disk cannot hold', async () => {
    await expect(cacheOf().build(fromOf('a'), 2 ** 60, () => expect.unreachable())).rejects.toThrow(/bytes are free/);
  });

  it('keeps nothing larger than its bound', async () => {
    await expect(cacheOf(50).build(fromOf('a'), 10, write(100))).rejects.toThrow(/more than maxBytes/);
    expect(entries()).toEqual([]);
    expect(cacheOf(50).admits(26)).toBe(false);
    expect(cacheOf(50).admits(25)).toBe(true);
  });

  it('builds an entry once for all who ask at once', async () => {
    const cache = cacheOf();
    let builds = 0;
    const slow = async (target: string) => {
      builds++;
      await new Promise((resolve) => setImmediate(resolve));
      await write(10)(target);
    };
    const made = await Promise.all([1, 2, 3].map(() => cache.build(fromOf('a'), 10, slow)));
    expect(builds).toBe(1);
    expect(made).toEqual([entryOf('a'), undefined, undefined]);
  });

  it('takes the entry of whoever was first', async () => {
    const [one, two] = [cacheOf(), cacheOf()];
    const made = await Promise.all([one, two].map((cache) => cache.build(fromOf('a'), 10, write(10))));
    expect(made.filter((path) => path !== undefined)).toEqual([entryOf('a')]);
    expect(entries()).toHaveLength(1);
  });

  it('removes what was used longest ago, and what a died build left', async () => {
    const cache = cacheOf(3500);
    const at = (model: string, secondsAgo: number) => {
      const time = new Date(Date.now() - secondsAgo * 1000);
      utimesSync(join(entryOf(model), LAST_USED), time, time);
    };
    for (const model of ['a', 'b']) await cache.build(fromOf(model), 10, write(1000));
    at('a', 10);
    at('b', 20);
    mkdirSync(join(folder, '.123.456.0'));
    mkdirSync(join(folder, '.124.456.0'));
    const old = new Date(Date.now() - 7200_000);
    utimesSync(join(folder, '.123.456.0'), old, old);
    await cache.build(fromOf('c'), 10, write(1000));
    expect([existsSync(entryOf('a')), existsSync(entryOf('b')), existsSync(entryOf('c'))]).toEqual([true, false, true]);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual(['.124.456.0']);
    // Finding one is using it.
    at('c', 5);
    await cache.find(fromOf('a'));
    await cache.build(fromOf('d'), 10, write(1000));
    expect([existsSync(entryOf('a')), existsSync(entryOf('c'))]).toEqual([true, false]);
  });
});
