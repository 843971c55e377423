import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import type { ServerConfig } from '../config/index.js';
import type { CacheOptions } from '../serving/backend/index.js';

/**
 * Where compiled models are kept; undefined where they are not: it is turned off, or this user has no folder for caches
 * (no home, as in some containers) and the configuration names none.
 */
export function modelCacheOptions(
  cache: ServerConfig['cache'],
  surroundings: { readonly cwd: string; readonly xdgCacheHome: string | undefined },
): CacheOptions | undefined {
  const folder =
    cache.folder === undefined ? userFolder(surroundings.xdgCacheHome) : resolve(surroundings.cwd, cache.folder);
  if (!cache.enabled || folder === undefined) return undefined;
  return { folder, maxBytes: cache.maxBytes, minModelBytes: cache.minModelBytes };
}

/** By the XDG base directory specification, which ignores a relative path. */
function userFolder(xdgCacheHome: string | undefined): string | undefined {
  const home = homedir();
  if (xdgCacheHome !== undefined && isAbsolute(xdgCacheHome)) return join(xdgCacheHome, 'penstock', 'models');
  return isAbsolute(home) && home !== '/' ? join(home, '.cache', 'penstock', 'models') : undefined;
}
