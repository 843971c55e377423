import type { ModelConfig } from '../../config/index.js';
import { type InstanceGroup, type RateLimiter, ServingError } from '../../core/index.js';
import type { ConfigGroup } from './config-parts.js';

/** Where groups run that do not say it themselves. */
export interface DeviceDefaults {
  /** Device of `KIND_AUTO` and of models without an `instance_group`. */
  readonly device: 'cpu' | 'cuda';
  /** CUDA devices that a GPU group without `gpus` takes. */
  readonly gpus: readonly number[];
}

/** The instance groups to open, and the same in the completed config. */
export interface CompletedGroups {
  readonly instances: readonly InstanceGroup[];
  readonly config: readonly ConfigGroup[];
}

const MOST_INSTANCES = 1024;

/**
 * Completes `instance_group` (`NormalizeInstanceGroup`, `ValidateInstanceGroup` in model_config_utils.cc): one group
 * where none is given, `NAME_<index>` as name, count 1, a GPU group on all given GPUs. Throws MODEL_INVALID, UNSUPPORTED.
 */
export function completeGroups(config: ModelConfig, name: string, defaults: DeviceDefaults): CompletedGroups {
  const device = config.provider?.device ?? defaults.device;
  const given = config.instance_group ?? [];
  const groups = given.length === 0 ? [{ name }] : given;
  const instances: InstanceGroup[] = [];
  const completed = groups.map((group: ConfigGroup, index) => {
    const label = group.name === undefined || group.name === '' ? `${name}_${index}` : group.name;
    const kind = kindOf(group, label, device);
    const count = group.count === undefined || group.count === 0 ? 1 : group.count;
    const gpus = kind === 'KIND_CPU' ? [] : [...(group.gpus?.length ? group.gpus : defaults.gpus)];
    const limited = limitOf(group);
    if (kind === 'KIND_CPU') instances.push({ device: 'cpu', deviceId: 0, count, ...limited });
    for (const deviceId of gpus) instances.push({ device: 'cuda', deviceId, count, ...limited });
    return { ...group, name: label, kind, count, gpus };
  });
  const total = instances.reduce((sum, group) => sum + group.count, 0);
  if (total < 1 || total > MOST_INSTANCES) {
    throw new ServingError(
      'MODEL_INVALID',
      `instance_group asks for ${total} instances, 1 to ${MOST_INSTANCES} are possible`,
    );
  }
  return { instances, config: completed };
}

function limitOf({ rate_limiter: given }: ConfigGroup): { readonly rateLimiter?: RateLimiter } {
  if (given === undefined) return {};
  const resources = (given.resources ?? []).map(({ name = '', global = false, count = 0 }) => ({
    name,
    global,
    count,
  }));
  return { rateLimiter: { resources, priority: given.priority ?? 1 } };
}

function kindOf(group: ConfigGroup, label: string, device: 'cpu' | 'cuda'): 'KIND_CPU' | 'KIND_GPU' {
  switch (group.kind ?? 'KIND_AUTO') {
    case 'KIND_MODEL':
      throw new ServingError(
        'UNSUPPORTED',
        `instance group '${label}': KIND_MODEL is not supported, use KIND_CPU or KIND_GPU`,
      );
    case 'KIND_CPU':
      if (group.gpus?.length) {
        throw new ServingError('MODEL_INVALID', `instance group '${label}' has kind KIND_CPU but names GPUs`);
      }
      return 'KIND_CPU';
    case 'KIND_GPU':
      return 'KIND_GPU';
    case 'KIND_AUTO':
      return device === 'cuda' ? 'KIND_GPU' : 'KIND_CPU';
  }
}
