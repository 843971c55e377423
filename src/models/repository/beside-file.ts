import { ServingError } from '../../core/index.js';
import { readContained } from './contained-path.js';
import type { ModelPlace } from './folders.js';

/** A file of text beside a model, under the name that faults show. */
export interface BesideFile {
  readonly name: string;
  readonly text: string;
}

/** Names without their ending. */
type BesideName = 'routes' | 'rollout' | 'slo';

const ENDINGS = ['.yaml', '.json'];

/** Every file that may stand beside a model and be read anew without its versions. */
export const BESIDE_FILES: ReadonlySet<string> = new Set(
  (['routes', 'rollout', 'slo'] as const satisfies readonly BesideName[]).flatMap((name) =>
    ENDINGS.map((ending) => name + ending),
  ),
);

/**
 * Reads NAME.yaml or NAME.json of a model's folder, where it has one; at most `mostBytes`. `files`: names in the folder; both at
 * once are refused with MODEL_INVALID.
 */
export async function readBeside(
  { root, folder }: ModelPlace,
  model: string,
  files: ReadonlySet<string>,
  name: BesideName,
  mostBytes: number,
): Promise<BesideFile | undefined> {
  const [file, other] = ENDINGS.map((ending) => name + ending).filter((one) => files.has(one));
  if (file === undefined) return undefined;
  if (other !== undefined)
    throw new ServingError('MODEL_INVALID', `model '${model}' has ${file} and ${other}; only one of them is allowed`);
  const shown = `${model}/${file}`;
  return { name: shown, text: (await readContained(root, folder, file, shown, mostBytes)).toString('utf8') };
}
