import { promises as fs } from 'node:fs';
import { isAbsolute } from 'node:path';
import { ServingError } from '../../core/index.js';
import { isInside, unreadable } from './contained-path.js';
import { listModel, type ModelPlace, modelNamesIn, placeOf } from './folders.js';

/**
 * Where the files of a model lie that is loaded from a folder: in that itself, or in the one folder that it holds. It must lie in `within`, as
 * both really are. Throws MALFORMED_REQUEST for another folder, MODEL_INVALID for one that is no model.
 */
export async function adoptedPlace(within: string, folder: string, name: string): Promise<ModelPlace> {
  if (!isAbsolute(folder))
    throw new ServingError('MALFORMED_REQUEST', `model '${name}': its folder is not an absolute path`);
  let root: string;
  try {
    root = await fs.realpath(folder);
    if (!isInside(await fs.realpath(within), root))
      throw new ServingError('MALFORMED_REQUEST', `model '${name}': its folder is not inside the folder of models`);
  } catch (cause) {
    throw cause instanceof ServingError ? cause : unreadable(`the folder of model '${name}'`, cause);
  }
  const whole: ModelPlace = { root, folder: root, adopted: true };
  const { versions, files } = await listModel(whole, name);
  if (versions.length > 0 || files.has('config.pbtxt') || files.has('config.yaml')) return whole;
  const [only, ...others] = modelNamesIn(root);
  if (only === undefined)
    throw new ServingError(
      'MODEL_INVALID',
      `the folder of model '${name}' has neither versions nor a config, nor a folder of a model`,
    );
  if (others.length > 0)
    throw new ServingError(
      'MODEL_INVALID',
      `the folder of model '${name}' holds ${others.length + 1} folders, expected a model, or one folder that is a model`,
    );
  const place = await placeOf(root, only);
  if (place === undefined)
    throw new ServingError('MODEL_INVALID', `the folder of model '${name}' holds no folder of a model`);
  return { ...place, adopted: true };
}
