import { readContained } from '../repository/contained-path.js';
import type { ModelPlace } from '../repository/folders.js';
import type { Complete, ConfigOutput } from './config-parts.js';

const MOST_LABEL_BYTES = 64 * 1024 * 1024;

/** Reads the label files of a model's outputs: one class name a line, UTF-8. Throws MODEL_INVALID. */
export async function readLabels(
  place: ModelPlace,
  name: string,
  outputs: readonly Complete<ConfigOutput>[],
): Promise<Map<string, readonly string[]>> {
  const labels = new Map<string, readonly string[]>();
  for (const output of outputs) {
    const file = output.label_filename;
    if (file === undefined || file === '') continue;
    const shown = `label file ${name}/${file} of output '${output.name}'`;
    const text = (await readContained(place.root, place.folder, file, shown, MOST_LABEL_BYTES)).toString('utf8');
    const lines = text.split(/\r?\n/);
    // A text file ends with a line end: no class follows it.
    if (lines.at(-1) === '') lines.pop();
    labels.set(output.name, lines);
  }
  return labels;
}
