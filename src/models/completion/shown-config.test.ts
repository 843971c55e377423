import { describe, expect, it } from 'vitest';
import { BATCHED } from '../../../test/support/fake-backend.js';
import { type ModelConfig, parseModelConfig } from '../../config/index.js';
import { batchPolicyOf } from './batch-policy.js';
import { completeTensors } from './complete-tensors.js';
import { completeGroups } from './instance-groups.js';
import { defaultMaxBatchSizeOf, openOptionsOf } from './open-options.js';
import { shownConfig } from './shown-config.js';

const CPU = { device: 'cpu', gpus: [0, 1] } as const;
const OPEN = { onGpuError: 'fail', strict: false, maxExecutionMs: 0, backendParameters: {} } as const;

function shown(config: ModelConfig): Record<string, unknown> {
  const tensors = completeTensors(config, BATCHED, 4);
  const groups = completeGroups(config, 'm', CPU).config;
  const facts = {
    name: 'm',
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    modelFile: 'model.onnx',
    tensors,
    groups,
  };
  return shownConfig(config, facts);
}

describe('the completed config', () => {
  it('is what Triton shows of a model without a config', () => {
    expect(shown({})).toEqual({
      name: 'm',
      platform: 'onnxruntime_onnx',
      backend: 'onnxruntime',
      runtime: '',
      version_policy: { latest: { num_versions: 1 } },
      max_batch_size: 4,
      input: [
        {
          name: 'x',
          data_type: 'TYPE_FP32',
          format: 'FORMAT_NONE',
          dims: [3],
          is_shape_tensor: false,
          allow_ragged_batch: false,
          optional: false,
          is_non_linear_format_io: false,
        },
      ],
      output: [
        {
          name: 'y',
          data_type: 'TYPE_FP32',
          dims: [2],
          label_filename: '',
          is_shape_tensor: false,
          is_non_linear_format_io: false,
        },
      ],
      batch_input: [],
      batch_output: [],
      optimization: {
        priority: 'PRIORITY_DEFAULT',
        input_pinned_memory: { enable: true },
        output_pinned_memory: { enable: true },
        gather_kernel_buffer_threshold: 0,
        eager_batching: false,
      },
      dynamic_batching: {
        preferred_batch_size: [4],
        max_queue_delay_microseconds: 0,
        preserve_ordering: false,
        priority_levels: 0,
        default_priority_level: 0,
        priority_queue_policy: {},
      },
      instance_group: [
        {
          name: 'm',
          kind: 'KIND_CPU',
          count: 1,
          gpus: [],
          secondary_devices: [],
          profile: [],
          passive: false,
          host_policy: '',
        },
      ],
      default_model_filename: 'model.onnx',
      cc_model_filenames: {},
      metric_tags: {},
      parameters: {},
      model_warmup: [],
    });
  });

  const configs: [string, ModelConfig][] = [
    ['nothing', {}],
    [
      'fields of ours',
      { engine: 'node', max_execution_ms: 5, provider: { strict: true, options: { gpu_mem_limit: '1' } } },
    ],
    [
      'policies',
      {
        max_batch_size: 8,
        dynamic_batching: {
          priority_levels: 2,
          default_priority_level: 1,
          default_queue_policy: { timeout_action: 'DELAY' },
          priority_queue_policy: { 2: { max_queue_size: 3 } },
        },
        version_policy: { all: {} },
        model_warmup: [{ batch_size: 1, inputs: { x: { data_type: 'TYPE_FP32', dims: [3], zero_data: true } } }],
        parameters: { intra_op_thread_count: { string_value: '2' } },
      },
    ],
  ];
  it.each(configs)('comes back the same when it is loaded again: %s', (_case, config) => {
    const once = shown(config);
    const again = parseModelConfig(JSON.stringify(once), 'json', 'x').config;
    expect(shown(again)).toEqual(once);
  });
});

describe('instance groups', () => {
  const cpu = (count = 1) => ({ device: 'cpu', deviceId: 0, count });
  const gpu = (deviceId: number, count = 1) => ({ device: 'cuda', deviceId, count });
  const cases: [string, ModelConfig, 'cpu' | 'cuda', object[], string[]][] = [
    ['none on a CPU server', {}, 'cpu', [cpu()], ['m']],
    ['none on a GPU server', {}, 'cuda', [gpu(0), gpu(1)], ['m']],
    ['a count alone', { instance_group: [{ count: 3 }] }, 'cpu', [cpu(3)], ['m_0']],
    ['count 0', { instance_group: [{ count: 0, kind: 'KIND_CPU' }] }, 'cuda', [cpu(1)], ['m_0']],
    ['GPUs named', { instance_group: [{ kind: 'KIND_GPU', gpus: [1], count: 2 }] }, 'cpu', [gpu(1, 2)], ['m_0']],
    ['auto with GPUs on a CPU server', { instance_group: [{ kind: 'KIND_AUTO', gpus: [1] }] }, 'cpu', [cpu()], ['m_0']],
    ['the device of the model', { provider: { device: 'cuda' } }, 'cpu', [gpu(0), gpu(1)], ['m']],
    [
      'two groups',
      {
        instance_group: [
          { kind: 'KIND_CPU', name: 'c' },
          { kind: 'KIND_GPU', gpus: [0] },
        ],
      },
      'cpu',
      [cpu(), gpu(0)],
      ['c', 'm_1'],
    ],
  ];
  it.each(cases)('%s', (_case, config, device, instances, names) => {
    const groups = completeGroups(config, 'm', { device, gpus: [0, 1] });
    expect(groups.instances).toEqual(instances);
    expect(groups.config.map((group) => group.name)).toEqual(names);
  });

  const wrong: [ModelConfig, string, string][] = [
    [{ instance_group: [{ kind: 'KIND_CPU', gpus: [0] }] }, 'MODEL_INVALID', 'names GPUs'],
    [{ instance_group: [{ kind: 'KIND_MODEL' }] }, 'UNSUPPORTED', 'KIND_MODEL is not supported'],
    [{ instance_group: [{ count: 5000 }] }, 'MODEL_INVALID', 'asks for 5000 instances'],
  ];
  it.each(wrong)('refuses %j', (config, reason, message) => {
    expect(() => completeGroups(config, 'm', CPU)).toThrow(expect.objectContaining({ reason }));
    expect(() => completeGroups(config, 'm', CPU)).toThrow(message);
  });
});

describe('batch policies', () => {
  it("has Triton's defaults, and does not batch unasked", () => {
    expect(batchPolicyOf(undefined, 8)).toMatchObject({
      dynamic: false,
      maxBatchSize: 8,
      maxQueueDelayUs: 0,
      priorityLevels: 0,
    });
    expect(batchPolicyOf({}, 8)).toMatchObject({
      dynamic: true,
      preferredBatchSizes: [],
      defaultQueuePolicy: {
        timeoutAction: 'REJECT',
        defaultTimeoutUs: 0,
        allowTimeoutOverride: false,
        maxQueueSize: 0,
      },
    });
    expect(batchPolicyOf({}, 0).dynamic).toBe(false);
  });

  it('carries every field', () => {
    const policy = batchPolicyOf(
      {
        preferred_batch_size: [8, 2],
        max_queue_delay_microseconds: 9,
        priority_levels: 3,
        default_priority_level: 2,
        default_queue_policy: { timeout_action: 'DELAY', default_timeout_microseconds: 4 },
        priority_queue_policy: { 1: { allow_timeout_override: true, max_queue_size: 5 } },
      },
      8,
    );
    expect(policy).toMatchObject({
      preferredBatchSizes: [2, 8],
      maxQueueDelayUs: 9,
      priorityLevels: 3,
      defaultPriorityLevel: 2,
    });
    expect(policy.priorityQueuePolicies.get(1)).toEqual({
      timeoutAction: 'REJECT',
      defaultTimeoutUs: 0,
      allowTimeoutOverride: true,
      maxQueueSize: 5,
    });
  });

  it.each([
    [{ preferred_batch_size: [9] }, 'preferred_batch_size 9 is above max_batch_size 8'],
    [{ priority_levels: 2 }, 'default_priority_level must be from 1 to 2, got 0'],
    [{ priority_queue_policy: { 1: {} } }, 'names level 1'],
    [{ preserve_ordering: true, priority_levels: 2, default_priority_level: 1 }, 'one priority level only'],
    [
      {
        preserve_ordering: true,
        default_queue_policy: { timeout_action: 'DELAY' as const, default_timeout_microseconds: 1 },
      },
      'does not go with the timeout action DELAY',
    ],
  ])('refuses %j', (batching, message) => {
    expect(() => batchPolicyOf(batching, 8)).toThrow(message);
  });
});

describe('options of the backend', () => {
  it('prefers what the model says to what the server says', () => {
    const options = openOptionsOf(
      {
        engine: 'node',
        max_execution_ms: 7,
        provider: { on_gpu_error: 'cpu' },
        parameters: { a: { string_value: '1' } },
      },
      'onnxruntime',
      {
        ...OPEN,
        maxExecutionMs: 9,
        backendParameters: { onnxruntime: { a: '2', b: '3', 'default-max-batch-size': '8' }, script: { c: '4' } },
      },
    );
    expect(options).toEqual({
      engine: 'node',
      maxExecutionMs: 7,
      graphLevel: undefined,
      provider: { onGpuError: 'cpu', strict: false, options: {} },
      parameters: { a: '1', b: '3' },
    });
  });

  it('reads default-max-batch-size of the backend, 4 where it is not given', () => {
    const defaults = (value: string) => ({
      ...OPEN,
      backendParameters: { onnxruntime: { 'default-max-batch-size': value } },
    });
    expect(defaultMaxBatchSizeOf('onnxruntime', OPEN)).toBe(4);
    expect(defaultMaxBatchSizeOf('onnxruntime', defaults('16'))).toBe(16);
    expect(() => defaultMaxBatchSizeOf('onnxruntime', defaults('many'))).toThrow("expected a number, got 'many'");
  });

  it.each([
    [{ parameters: { engine: { string_value: 'fast' } } }, 'expected native or node'],
    [{ parameters: { max_execution_ms: { string_value: '1.5' } } }, 'expected whole milliseconds'],
    [{ parameters: { cudnn_conv_algo_search: { string_value: '3' } } }, 'expected 0 to 2'],
    [{ optimization: { graph: { level: 3 } } }, 'expected -1, 1 or 2, got 3'],
  ] as [ModelConfig, string][])('refuses %j', (config, message) => {
    expect(() => openOptionsOf(config, 'onnxruntime', OPEN)).toThrow(message);
  });
});
