import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Listener } from '../cli/index.js';

/**
 * A command to paste: asks the bundled `digits` model for a sample image, where a repository that is served holds both.
 * Undefined elsewhere.
 */
export function exampleHint(
  repositories: readonly string[],
  { address, port, tls = false }: Listener,
  folder: string,
): string | undefined {
  for (const repository of repositories) {
    const sample = resolve(repository, '../samples/digit-3.json');
    if (!existsSync(join(repository, 'digits')) || !existsSync(sample)) continue;
    const host = /^(0\.0\.0\.0|::)$/.test(address) ? '127.0.0.1' : address;
    const url = `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}/v2/models/digits/infer`;
    const near = relative(folder, sample);
    return `curl -s ${url} -d @${near.startsWith('..') ? sample : near}`;
  }
  return undefined;
}
