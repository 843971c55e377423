import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadServerConfig } from '../config/index.js';
import { modelCacheOptions } from './model-cache.js';

const optionsOf = (cache: Record<string, unknown>, xdgCacheHome?: string) =>
  modelCacheOptions(loadServerConfig({ flags: { cache } }).cache, { cwd: '/work', xdgCacheHome });

describe('where compiled models are kept', () => {
  it.each([
    ['the folder that the configuration names', { folder: '/data/models' }, '/xdg', '/data/models'],
    ['relative to where it was started', { folder: 'models' }, '/xdg', '/work/models'],
    ['the cache folder of the environment', {}, '/xdg', '/xdg/penstock/models'],
    ['the cache folder of the user', {}, undefined, join(homedir(), '.cache/penstock/models')],
    ['the user’s, where the environment names a relative one', {}, 'xdg', join(homedir(), '.cache/penstock/models')],
  ])('%s', (_what, cache, xdgCacheHome, folder) => {
    expect(optionsOf(cache, xdgCacheHome)?.folder).toBe(folder);
  });

  it('nowhere, where it is turned off', () => {
    expect(optionsOf({ enabled: false, folder: '/data/models' })).toBeUndefined();
  });

  it('with the bounds of the configuration', () => {
    expect(optionsOf({ maxBytes: 5, minModelBytes: 6 }, '/xdg')).toMatchObject({ maxBytes: 5, minModelBytes: 6 });
    expect(optionsOf({}, '/xdg')).toMatchObject({ maxBytes: 8 * 1024 ** 3, minModelBytes: 1024 ** 2 });
  });
});
