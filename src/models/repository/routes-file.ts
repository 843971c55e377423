import { parseModelRoutes } from '../../config/index.js';
import type { ModelRoutes, ServedTraits } from '../../core/index.js';
import { readBeside } from './beside-file.js';
import type { ModelPlace } from './folders.js';

const MOST_ROUTES_BYTES = 4 * 1024 * 1024;

/**
 * The routes beside a model, where it has such a file: they must lead to versions among `wanted` only. `files`: names in its
 * folder. Throws MODEL_INVALID with the line at fault.
 */
export async function readRoutesFile(
  place: ModelPlace,
  name: string,
  files: ReadonlySet<string>,
  wanted: readonly number[],
  traits: ServedTraits,
): Promise<ModelRoutes | undefined> {
  const file = await readBeside(place, name, files, 'routes', MOST_ROUTES_BYTES);
  if (file === undefined) return undefined;
  const parsed = parseModelRoutes(file.text, file.name, 'MODEL_INVALID');
  parsed.refuseUnserved(wanted, traits);
  return parsed.routes;
}
