import { parseRolloutPlan } from '../../config/index.js';
import type { BesideModel } from '../../core/index.js';
import { readBeside } from './beside-file.js';
import type { ModelPlace } from './folders.js';

const MOST_PLAN_BYTES = 1024 * 1024;

/**
 * The rollout plan beside a model, where it has such a file. `files`: names in its folder. A plan that cannot be refuses the
 * load, or a new version would serve without it. Throws MODEL_INVALID with the line at fault.
 */
export async function readRolloutFile(
  place: ModelPlace,
  name: string,
  files: ReadonlySet<string>,
): Promise<BesideModel['rollout']> {
  const file = await readBeside(place, name, files, 'rollout', MOST_PLAN_BYTES);
  if (file !== undefined) parseRolloutPlan(file.text, file.name, name, 'MODEL_INVALID');
  return file;
}
