import { parseRolloutPlan } from '../../config/index.js';
import { type BesideModel, ServingError } from '../../core/index.js';
import { readContained } from './contained-path.js';
import type { ModelPlace } from './folders.js';

const FILES = ['rollout.yaml', 'rollout.json'] as const;
const MOST_PLAN_BYTES = 1024 * 1024;

/**
 * The rollout plan beside a model, where it has such a file. `files`: names in its folder; both kinds at once are refused. A
 * plan that cannot be refuses the load, or a new version would serve without it. Throws MODEL_INVALID with the line at fault.
 */
export async function readRolloutFile(
  place: ModelPlace,
  name: string,
  files: ReadonlySet<string>,
): Promise<BesideModel['rollout']> {
  const [file, other] = FILES.filter((one) => files.has(one));
  if (file === undefined) return undefined;
  if (other !== undefined)
    throw new ServingError('MODEL_INVALID', `model '${name}' has ${file} and ${other}; only one of them is allowed`);
  const shown = `${name}/${file}`;
  const text = (await readContained(place.root, place.folder, file, shown, MOST_PLAN_BYTES)).toString('utf8');
  parseRolloutPlan(text, shown, name, 'MODEL_INVALID');
  return { name: shown, text };
}
