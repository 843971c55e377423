import { type InstanceGroup, type OpenRequest, ServingError } from '../../../core/index.js';
import { readSessionSettings } from '../onnx/session-settings.js';

/** Options of `InferenceSession.create`, as far as a version's config sets them. */
export interface NodeSessionOptions {
  readonly executionProviders: readonly (string | { readonly name: 'cuda'; readonly deviceId: number })[];
  readonly graphOptimizationLevel: 'disabled' | 'basic' | 'extended' | 'all';
  readonly executionMode: 'sequential' | 'parallel';
  readonly intraOpNumThreads: number;
  readonly interOpNumThreads: number;
  readonly enableCpuMemArena: boolean;
  readonly enableMemPattern: boolean;
  /** ONNX Runtime prints nothing itself: what fails comes back as an error. */
  readonly logSeverityLevel: 4;
  /** Session config entries by their full names. */
  readonly extra: Readonly<Record<string, string>>;
}

const GRAPH_LEVELS = { 0: 'disabled', 1: 'basic', 2: 'extended', 99: 'all' } as const;

/**
 * The binding's options for one instance, with the meaning they have in the native engine. Throws MODEL_INVALID where a
 * parameter means nothing, UNSUPPORTED where the binding offers no way to honour it.
 */
export function nodeSessionOptions(request: OpenRequest, instance: number): NodeSessionOptions {
  const settings = readSessionSettings(request.parameters, request.graphLevel);
  const cuda = Object.keys({ ...settings.cudaOptions, ...request.provider.options });
  const group = groupOf(request.instances, instance);
  if (cuda.length > 0) throw unsupported(`CUDA provider options (${cuda.join(', ')})`);
  if (request.provider.binding !== undefined) throw unsupported('io_binding and CUDA graphs');
  if (settings.runConfig.size > 0) throw unsupported(`backend parameter ${[...settings.runConfig.keys()].join(', ')}`);
  const extra = Object.fromEntries(settings.sessionConfig);
  if (group.device === 'cuda' && request.provider.strict) extra['session.disable_cpu_ep_fallback'] = '1';
  return {
    executionProviders: group.device === 'cuda' ? [{ name: 'cuda', deviceId: group.deviceId }, 'cpu'] : ['cpu'],
    graphOptimizationLevel: GRAPH_LEVELS[settings.graphOptimization as keyof typeof GRAPH_LEVELS],
    executionMode: settings.executionMode === 1 ? 'parallel' : 'sequential',
    intraOpNumThreads: settings.intraOpThreads,
    interOpNumThreads: settings.interOpThreads,
    enableCpuMemArena: settings.memArena ?? true,
    enableMemPattern: settings.memPattern ?? true,
    logSeverityLevel: 4,
    extra,
  };
}

/** The group that the `instance`th instance belongs to. */
function groupOf(groups: readonly InstanceGroup[], instance: number): InstanceGroup {
  let first = 0;
  for (const group of groups) {
    if (instance < first + group.count) return group;
    first += group.count;
  }
  return { device: 'cpu', deviceId: 0, count: 1 };
}

function unsupported(what: string): ServingError {
  return new ServingError('UNSUPPORTED', `engine 'node' cannot honour ${what}; use engine 'native'`);
}
