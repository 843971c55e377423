import { checkModelName, ServingError } from '../../../../core/index.js';
import type { Caller } from '../../../controlplane/index.js';
import type { ControlPort } from '../../ports.js';

/** A decoded `ModelServerConfig`. */
export interface ServerConfigMessage {
  readonly model_config_list: { readonly config: readonly ModelConfigMessage[] } | null;
}

interface ModelConfigMessage {
  readonly name: string;
  readonly base_path: string;
  readonly model_version_policy: object | null;
  readonly version_labels: Readonly<Record<string, number>>;
  readonly logging_config: object | null;
}

/**
 * Makes the models of the list those that serve: loads what does not serve yet, then unloads what is not in it. The right is that of
 * loading and unloading. Throws UNSUPPORTED for what the config of a model or its routes say here, MALFORMED_REQUEST for a list
 * that cannot be, and what the loads throw: then nothing is unloaded.
 */
export async function reloadConfig(
  control: ControlPort,
  config: ServerConfigMessage | null,
  caller: Caller,
): Promise<void> {
  const list = config?.model_config_list?.config;
  if (list === undefined)
    throw new ServingError('MALFORMED_REQUEST', 'the request has no model_config_list, the one config there is');
  const names = list.map(checked);
  if (new Set(names).size < names.length)
    throw new ServingError('MALFORMED_REQUEST', 'the model_config_list has a model twice');
  const serving = new Set((await control.repositoryIndex({ ready: true })).map(({ name }) => name));
  for (const name of names) if (!serving.has(name)) await control.repositoryLoad(name, {}, caller);
  for (const name of serving) if (!names.includes(name)) await control.repositoryUnload(name, {}, caller);
}

function checked(config: ModelConfigMessage): string {
  const { name, base_path, model_version_policy, version_labels, logging_config } = config;
  checkModelName(name);
  const folder = base_path.replace(/\/+$/, '').split('/').at(-1);
  if (base_path !== '' && folder !== name)
    throw unsupported(
      name,
      `base_path ends in ${JSON.stringify(folder)}: models come of the server's own repositories`,
    );
  if (model_version_policy !== null) throw unsupported(name, 'model_version_policy stands in the config of the model');
  if (Object.keys(version_labels).length > 0) throw unsupported(name, 'version_labels are those of its routes');
  if (logging_config !== null)
    throw unsupported(name, 'logging_config is not offered: see captures and the payload log');
  return name;
}

function unsupported(model: string, what: string): ServingError {
  return new ServingError('UNSUPPORTED', `model_config_list, model '${model}': ${what}`);
}
