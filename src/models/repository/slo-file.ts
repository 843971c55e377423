import { parseModelSlos } from '../../config/index.js';
import type { Slo } from '../../core/index.js';
import { readBeside } from './beside-file.js';
import type { ModelPlace } from './folders.js';

const MOST_SLO_BYTES = 1024 * 1024;

/** The SLOs beside a model, where it has such a file. `files`: names in its folder. Throws MODEL_INVALID with the line at fault. */
export async function readSloFile(
  place: ModelPlace,
  name: string,
  files: ReadonlySet<string>,
): Promise<readonly Slo[]> {
  const file = await readBeside(place, name, files, 'slo', MOST_SLO_BYTES);
  return file === undefined ? [] : parseModelSlos(file.text, file.name, name);
}
