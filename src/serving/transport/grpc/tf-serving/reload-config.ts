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
  readonly model_version_policy: VersionPolicyMessage | null;
  readonly version_labels: Readonly<Record<string, number>>;
  readonly logging_config: object | null;
}

/** A decoded `ServableVersionPolicy`: at most one of them. */
interface VersionPolicyMessage {
  readonly latest?: { readonly num_versions: number };
  readonly all?: object;
  readonly specific?: { readonly versions: readonly number[] };
}

/**
 * Makes the models of the list those that serve: loads what does not serve yet and those whose versions the list names, sets their labels, then
 * unloads what is not in it. The right is that of loading and unloading. Throws UNSUPPORTED for what the server has otherwise, MALFORMED_REQUEST for a
 * list that cannot be, FAILED_PRECONDITION for a label of a version that does not serve, and what the loads throw: then nothing is unloaded.
 */
export async function reloadConfig(
  control: ControlPort,
  config: ServerConfigMessage | null,
  caller: Caller,
): Promise<void> {
  const list = config?.model_config_list?.config;
  if (list === undefined)
    throw new ServingError('MALFORMED_REQUEST', 'the request has no model_config_list, the one config there is');
  const models = list.map(checked);
  const names = new Set(models.map(({ name }) => name));
  if (names.size < models.length)
    throw new ServingError('MALFORMED_REQUEST', 'the model_config_list has a model twice');
  const serving = new Set((await control.repositoryIndex({ ready: true })).map(({ name }) => name));
  for (const { name, policy } of models) {
    if (policy !== undefined) await control.repositoryLoad(name, { version_policy: policy }, caller);
    else if (!serving.has(name)) await control.repositoryLoad(name, {}, caller);
  }
  for (const { name, labels } of models) await control.setVersionLabels(name, labels, caller);
  for (const name of serving) if (!names.has(name)) await control.repositoryUnload(name, {}, caller);
}

interface WantedModel {
  readonly name: string;
  /** Of a load, as its parameter has it; undefined: as the model's own config says. */
  readonly policy: string | undefined;
  readonly labels: Readonly<Record<string, number>>;
}

function checked(config: ModelConfigMessage): WantedModel {
  const { name, base_path, model_version_policy, version_labels: labels, logging_config } = config;
  checkModelName(name);
  const folder = base_path.replace(/\/+$/, '').split('/').at(-1);
  if (base_path !== '' && folder !== name)
    throw unsupported(
      name,
      `base_path ends in ${JSON.stringify(folder)}: models come of the server's own repositories`,
    );
  if (logging_config !== null)
    throw unsupported(name, 'logging_config is not offered: see captures and the payload log');
  return { name, policy: model_version_policy === null ? undefined : policyText(model_version_policy), labels };
}

/** A policy without a choice is TensorFlow Serving's default, and so is a latest of no versions. */
function policyText({ latest, all, specific }: VersionPolicyMessage): string {
  if (all !== undefined) return JSON.stringify({ all: {} });
  if (specific !== undefined) return JSON.stringify({ specific: { versions: specific.versions } });
  return JSON.stringify({ latest: { num_versions: Math.max(1, latest?.num_versions ?? 1) } });
}

function unsupported(model: string, what: string): ServingError {
  return new ServingError('UNSUPPORTED', `model_config_list, model '${model}': ${what}`);
}
