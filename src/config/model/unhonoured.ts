import type { ModelConfig } from './schema.js';

/** What happens where a field that is read but not served is set. */
interface Unhonoured {
  readonly field: string;
  /** `error`: leaving it out would change answers. `warning`: it would not. */
  readonly effect: 'error' | 'warning';
  readonly why: string;
  /** Whether the config really asks for it: a field set to what happens anyway asks for nothing. */
  readonly asked: (config: ModelConfig) => boolean;
}

const anyInput = (test: (tensor: NonNullable<ModelConfig['input']>[number]) => boolean) => (config: ModelConfig) =>
  config.input?.some(test) ?? false;
const anyTensor = (field: 'is_shape_tensor' | 'is_non_linear_format_io') => (config: ModelConfig) =>
  [...(config.input ?? []), ...(config.output ?? [])].some((tensor) => tensor[field] === true);
const anyGroup =
  (test: (group: NonNullable<ModelConfig['instance_group']>[number]) => boolean) => (config: ModelConfig) =>
    config.instance_group?.some(test) ?? false;
const filled = (value: object | undefined) => value !== undefined && Object.keys(value).length > 0;

/** The fields of Triton's ModelConfig that are not honoured. The reference page lists them from here. */
export const UNHONOURED: readonly Unhonoured[] = [
  {
    field: 'input.allow_ragged_batch',
    effect: 'error',
    why: 'requests are not concatenated into a ragged batch',
    asked: anyInput((tensor) => tensor.allow_ragged_batch === true),
  },
  {
    field: 'is_shape_tensor',
    effect: 'error',
    why: 'shape tensors belong to TensorRT',
    asked: anyTensor('is_shape_tensor'),
  },
  {
    field: 'is_non_linear_format_io',
    effect: 'error',
    why: 'non-linear formats belong to TensorRT',
    asked: anyTensor('is_non_linear_format_io'),
  },
  {
    field: 'batch_input',
    effect: 'error',
    why: 'inputs are not made up from the batch',
    asked: (config) => filled(config.batch_input),
  },
  {
    field: 'batch_output',
    effect: 'error',
    why: 'outputs are not scattered by input shapes',
    asked: (config) => filled(config.batch_output),
  },
  {
    field: 'model_operations',
    effect: 'error',
    why: 'libraries of custom operators are not loaded',
    asked: (config) => filled(config.model_operations?.op_library_filename),
  },
  {
    field: 'model_repository_agents',
    effect: 'error',
    why: 'repository agents are not run, so what they would check or decrypt is not',
    asked: (config) => filled(config.model_repository_agents?.agents),
  },
  {
    field: 'cc_model_filenames',
    effect: 'error',
    why: 'the model file is not chosen by the compute capability of the GPU; use default_model_filename',
    asked: (config) => filled(config.cc_model_filenames),
  },
  {
    field: 'optimization.execution_accelerators.gpu_execution_accelerator',
    effect: 'error',
    why: 'only the accelerator `cuda` is offered',
    asked: (config) =>
      config.optimization?.execution_accelerators?.gpu_execution_accelerator?.some(({ name }) => name !== 'cuda') ??
      false,
  },
  {
    field: 'optimization.execution_accelerators.cpu_execution_accelerator',
    effect: 'error',
    why: 'no accelerator of the CPU is offered',
    asked: (config) => filled(config.optimization?.execution_accelerators?.cpu_execution_accelerator),
  },
  {
    field: 'runtime',
    effect: 'error',
    why: 'a backend has one runtime; leave it out',
    asked: (config) => (config.runtime ?? '') !== '',
  },
  {
    field: 'input.format',
    effect: 'warning',
    why: 'the meaning of the axes is used where `images` names the input only',
    asked: (config) =>
      anyInput(
        ({ name, format }) =>
          (format ?? 'FORMAT_NONE') !== 'FORMAT_NONE' && config.images?.some(({ input }) => input === name) !== true,
      )(config),
  },
  {
    field: 'optimization.priority',
    effect: 'warning',
    why: 'models have no priority between them',
    asked: (config) => (config.optimization?.priority ?? 'PRIORITY_DEFAULT') !== 'PRIORITY_DEFAULT',
  },
  {
    field: 'optimization.cuda',
    effect: 'warning',
    why: "as by Triton's ONNX Runtime backend; CUDA graphs are asked for by provider.cuda_graph_batch_sizes",
    asked: (config) =>
      Object.values(config.optimization?.cuda ?? {}).some((value) => value === true || typeof value === 'object'),
  },
  {
    field: 'optimization.input_pinned_memory',
    effect: 'warning',
    why: 'pinned buffers are asked for by provider.io_binding',
    asked: (config) => config.optimization?.input_pinned_memory?.enable !== undefined,
  },
  {
    field: 'optimization.output_pinned_memory',
    effect: 'warning',
    why: 'pinned buffers are asked for by provider.io_binding',
    asked: (config) => config.optimization?.output_pinned_memory?.enable !== undefined,
  },
  {
    field: 'optimization.gather_kernel_buffer_threshold',
    effect: 'warning',
    why: 'inputs are gathered without a kernel',
    asked: (config) => (config.optimization?.gather_kernel_buffer_threshold ?? 0) > 0,
  },
  {
    field: 'optimization.eager_batching',
    effect: 'warning',
    why: 'a batch stays open until an instance takes it',
    asked: (config) => config.optimization?.eager_batching === true,
  },
  {
    field: 'instance_group.secondary_devices',
    effect: 'warning',
    why: 'there are no secondary devices',
    asked: anyGroup((group) => filled(group.secondary_devices)),
  },
  {
    field: 'instance_group.profile',
    effect: 'warning',
    why: 'optimization profiles belong to TensorRT',
    asked: anyGroup((group) => filled(group.profile)),
  },
  {
    field: 'instance_group.passive',
    effect: 'warning',
    why: 'every instance takes requests',
    asked: anyGroup((group) => group.passive === true),
  },
  {
    field: 'instance_group.host_policy',
    effect: 'warning',
    why: 'instances are not bound to NUMA nodes or cores',
    asked: anyGroup((group) => (group.host_policy ?? '') !== ''),
  },
  {
    field: 'sequence_batching.state.use_growable_memory',
    effect: 'warning',
    why: 'states lie in the memory of the process, which grows as they do',
    asked: (config) => config.sequence_batching?.state?.some((state) => state.use_growable_memory === true) ?? false,
  },
  {
    field: 'sequence_batching.state.use_same_buffer_for_input_output',
    effect: 'warning',
    why: "a state is copied out of the model's outputs and into its inputs",
    asked: (config) =>
      config.sequence_batching?.state?.some((state) => state.use_same_buffer_for_input_output === true) ?? false,
  },
  {
    field: 'metric_tags',
    effect: 'warning',
    why: 'series carry the labels model and version only',
    asked: (config) => filled(config.metric_tags),
  },
  {
    field: 'model_metrics',
    effect: 'warning',
    why: 'the buckets of histograms are fixed',
    asked: (config) => filled(config.model_metrics?.metric_control),
  },
];
