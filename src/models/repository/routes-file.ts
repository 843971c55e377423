import { parseModelRoutes } from '../../config/index.js';
import { type ModelRoutes, ServingError } from '../../core/index.js';
import { readContained } from './contained-path.js';
import type { ModelPlace } from './folders.js';

const FILES = ['routes.yaml', 'routes.json'] as const;
const MOST_ROUTES_BYTES = 4 * 1024 * 1024;

/**
 * The routes beside a model, where it has such a file: they must lead to versions among `wanted` only. `files`: names in its
 * folder; both kinds at once are refused. Throws MODEL_INVALID with the line at fault.
 */
export async function readRoutesFile(
  place: ModelPlace,
  name: string,
  files: ReadonlySet<string>,
  wanted: readonly number[],
): Promise<ModelRoutes | undefined> {
  const [file, other] = FILES.filter((one) => files.has(one));
  if (file === undefined) return undefined;
  if (other !== undefined)
    throw new ServingError('MODEL_INVALID', `model '${name}' has ${file} and ${other}; only one of them is allowed`);
  const shown = `${name}/${file}`;
  const text = (await readContained(place.root, place.folder, file, shown, MOST_ROUTES_BYTES)).toString('utf8');
  const parsed = parseModelRoutes(text, shown, 'MODEL_INVALID');
  parsed.refuseUnserved(wanted);
  return parsed.routes;
}
