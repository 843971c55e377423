import type { ModelConfig } from '../../config/index.js';
import type { CompletedTensors, ConfigGroup } from './config-parts.js';
import { shownSequences } from './shown-sequences.js';

type Json = Readonly<Record<string, unknown>>;

/** What `/config` needs beside the config as written. */
export interface ShownFacts {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly modelFile: string;
  readonly tensors: CompletedTensors;
  readonly groups: readonly ConfigGroup[];
}

/**
 * The completed config as Triton's `/config` prints it: proto3 JSON with every scalar and list present, absent messages
 * left out, 64-bit integers as numbers (`ModelConfigToJson`), and the defaults of `NormalizeModelConfig` filled in.
 */
export function shownConfig(config: ModelConfig, facts: ShownFacts): Json {
  const { tensors } = facts;
  const batching = tensors.dynamicBatching;
  return {
    name: facts.name,
    platform: facts.platform,
    backend: facts.backend,
    runtime: config.runtime ?? '',
    version_policy: shownVersionPolicy(config.version_policy),
    max_batch_size: tensors.maxBatchSize,
    input: tensors.inputs.map((input) => ({
      name: input.name,
      data_type: input.data_type,
      format: input.format ?? 'FORMAT_NONE',
      dims: input.dims,
      ...(input.reshape === undefined ? {} : { reshape: { shape: input.reshape.shape } }),
      is_shape_tensor: input.is_shape_tensor ?? false,
      allow_ragged_batch: input.allow_ragged_batch ?? false,
      optional: input.optional ?? false,
      is_non_linear_format_io: input.is_non_linear_format_io ?? false,
    })),
    output: tensors.outputs.map((output) => ({
      name: output.name,
      data_type: output.data_type,
      dims: output.dims,
      ...(output.reshape === undefined ? {} : { reshape: { shape: output.reshape.shape } }),
      label_filename: output.label_filename ?? '',
      is_shape_tensor: output.is_shape_tensor ?? false,
      is_non_linear_format_io: output.is_non_linear_format_io ?? false,
    })),
    batch_input: [],
    batch_output: [],
    optimization: shownOptimization(config.optimization),
    ...(config.ensemble_scheduling === undefined
      ? {}
      : { ensemble_scheduling: shownSteps(config.ensemble_scheduling) }),
    ...(batching === undefined ? {} : { dynamic_batching: shownBatching(batching, tensors.maxBatchSize) }),
    ...(config.sequence_batching === undefined
      ? {}
      : { sequence_batching: shownSequences(config.sequence_batching, tensors.maxBatchSize) }),
    instance_group: facts.groups.map((group) => ({
      name: group.name ?? '',
      kind: group.kind ?? 'KIND_AUTO',
      count: group.count ?? 1,
      ...(group.rate_limiter === undefined ? {} : { rate_limiter: group.rate_limiter }),
      gpus: group.gpus ?? [],
      secondary_devices: [],
      profile: [],
      passive: false,
      host_policy: group.host_policy ?? '',
    })),
    default_model_filename: facts.modelFile,
    cc_model_filenames: config.cc_model_filenames ?? {},
    metric_tags: config.metric_tags ?? {},
    parameters: shownParameters(config),
    model_warmup: (config.model_warmup ?? []).map((sample) => ({
      name: sample.name ?? '',
      batch_size: sample.batch_size ?? 0,
      inputs: Object.fromEntries(
        Object.entries(sample.inputs ?? {}).map(([name, input]) => [name, { ...input, dims: input.dims ?? [] }]),
      ),
      count: sample.count ?? 0,
    })),
    ...(config.model_transaction_policy === undefined
      ? {}
      : { model_transaction_policy: { decoupled: config.model_transaction_policy.decoupled ?? false } }),
    ...(config.response_cache === undefined
      ? {}
      : { response_cache: { enable: config.response_cache.enable ?? false } }),
  };
}

function shownVersionPolicy(policy: ModelConfig['version_policy']): Json {
  if (policy?.all !== undefined) return { all: {} };
  if (policy?.specific !== undefined) return { specific: { versions: policy.specific.versions } };
  return { latest: { num_versions: policy?.latest?.num_versions ?? 1 } };
}

function shownOptimization(given: ModelConfig['optimization']): Json {
  const accelerators = given?.execution_accelerators;
  return {
    ...(given?.graph === undefined ? {} : { graph: { level: given.graph.level ?? 0 } }),
    priority: given?.priority ?? 'PRIORITY_DEFAULT',
    ...(given?.cuda === undefined ? {} : { cuda: given.cuda }),
    ...(accelerators === undefined
      ? {}
      : {
          execution_accelerators: {
            gpu_execution_accelerator: accelerators.gpu_execution_accelerator ?? [],
            cpu_execution_accelerator: accelerators.cpu_execution_accelerator ?? [],
          },
        }),
    input_pinned_memory: { enable: given?.input_pinned_memory?.enable ?? true },
    output_pinned_memory: { enable: given?.output_pinned_memory?.enable ?? true },
    gather_kernel_buffer_threshold: given?.gather_kernel_buffer_threshold ?? 0,
    eager_batching: given?.eager_batching ?? false,
  };
}

function shownSteps(given: NonNullable<ModelConfig['ensemble_scheduling']>): Json {
  return {
    step: (given.step ?? []).map((step) => ({
      model_name: step.model_name ?? '',
      model_version: step.model_version ?? -1,
      input_map: step.input_map ?? {},
      output_map: step.output_map ?? {},
      model_namespace: step.model_namespace ?? '',
    })),
    max_inflight_requests: given.max_inflight_requests ?? 0,
  };
}

function shownBatching(given: NonNullable<ModelConfig['dynamic_batching']>, maxBatchSize: number): Json {
  const sizes = given.preferred_batch_size ?? [];
  const policies = Object.entries(given.priority_queue_policy ?? {});
  return {
    preferred_batch_size: sizes.length > 0 ? sizes : maxBatchSize > 0 ? [maxBatchSize] : [],
    max_queue_delay_microseconds: given.max_queue_delay_microseconds ?? 0,
    preserve_ordering: given.preserve_ordering ?? false,
    priority_levels: given.priority_levels ?? 0,
    default_priority_level: given.default_priority_level ?? 0,
    ...(given.default_queue_policy === undefined
      ? {}
      : { default_queue_policy: shownQueuePolicy(given.default_queue_policy) }),
    priority_queue_policy: Object.fromEntries(policies.map(([level, policy]) => [level, shownQueuePolicy(policy)])),
  };
}

type GivenQueuePolicy = NonNullable<NonNullable<ModelConfig['dynamic_batching']>['default_queue_policy']>;

function shownQueuePolicy(given: GivenQueuePolicy): Json {
  return {
    timeout_action: given.timeout_action ?? 'REJECT',
    default_timeout_microseconds: given.default_timeout_microseconds ?? 0,
    allow_timeout_override: given.allow_timeout_override ?? false,
    max_queue_size: given.max_queue_size ?? 0,
  };
}

/** Fields of ours have no place in Triton's message: they are shown as the parameters that a config may give them by. */
function shownParameters(config: ModelConfig): Json {
  const own: Record<string, string | number | boolean | undefined> = {
    engine: config.engine,
    max_execution_ms: config.max_execution_ms,
    slo_ms: config.slo_ms,
    device_weight: config.device_weight,
    batch_limit: config.batch_limit,
    cost_sweep_ms: config.cost_sweep_ms,
    split_large_requests: config.split_large_requests,
    requests_per_instance: config.requests_per_instance,
    iterative_output: config.iterative_output,
    max_iterations: config.max_iterations,
    coalesce: config.coalesce,
    allowed_batch_sizes: config.allowed_batch_sizes?.join(','),
    'padding.inputs': config.padding?.inputs.map(({ name, axis, value }) => `${name}:${axis}=${value ?? 0}`).join(','),
    'padding.outputs': config.padding?.outputs
      ?.map(({ name, axis, follows }) => `${name}:${axis}${follows === false ? '=stays' : ''}`)
      .join(','),
    'padding.classes': config.padding?.classes?.join(','),
    'padding.max_batch_tokens': config.padding?.max_batch_tokens,
    images: config.images && JSON.stringify(config.images),
    plain_answer: config.plain_answer && JSON.stringify(config.plain_answer),
    explainer: config.explainer,
    signatures: config.signatures && JSON.stringify(config.signatures),
    'provider.device': config.provider?.device,
    'provider.on_gpu_error': config.provider?.on_gpu_error,
    'provider.strict': config.provider?.strict,
  };
  for (const [name, value] of Object.entries(config.text ?? {}))
    own[`text.${name}`] = typeof value === 'object' ? JSON.stringify(value) : value;
  for (const [name, value] of Object.entries(config.provider?.options ?? {})) own[`provider.options.${name}`] = value;
  const shown = Object.entries(own).flatMap(([name, value]) =>
    value === undefined ? [] : [[`penstock.${name}`, { string_value: String(value) }] as const],
  );
  return { ...config.parameters, ...Object.fromEntries(shown) };
}
