import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServingError } from '../../core/index.js';
import { type ModelConfigSyntax, parseModelConfig } from './parse.js';

const DECOUPLED = 'model_transaction_policy { decoupled: true }';
const parse = (text: string, syntax: ModelConfigSyntax = 'pbtxt') =>
  parseModelConfig(text, syntax, `m/config.${syntax}`);
const config = (text: string, syntax: ModelConfigSyntax = 'pbtxt') => parse(text, syntax).config;

// Shapes of text that public Triton repositories hold.
const WORDY = `# a comment
name: "classifier"   # another
platform: 'onnxruntime_onnx'
max_batch_size : 64
input [
  { name: "ids" data_type: TYPE_INT64 dims: [ -1, 512 ] },
  {
    name: "mask",
    data_type: TYPE_INT64;
    dims: [ 1 ]
    reshape: { shape: [ ] }
    optional: true
  }
]
output { name: "logits" data_type: TYPE_FP32 dims: 3 dims: 4 label_filename: "lab" 'els.txt' }
output < name: "score" data_type: TYPE_BF16 dims: [ 1 ] reshape { shape: [] } >
instance_group [ { count: 2 kind: KIND_GPU gpus: [ 0, 1 ] } ]
dynamic_batching {
  preferred_batch_size: [ 8, 16 ]
}
version_policy: { specific { versions: [ 1, 0x2 ] } }
`;

describe('text format', () => {
  it('reads lists, repeated fields, comments, separators, both quotes and adjoining strings', () => {
    expect(config(WORDY)).toEqual({
      name: 'classifier',
      platform: 'onnxruntime_onnx',
      max_batch_size: 64,
      input: [
        { name: 'ids', data_type: 'TYPE_INT64', dims: [-1, 512] },
        { name: 'mask', data_type: 'TYPE_INT64', dims: [1], reshape: { shape: [] }, optional: true },
      ],
      output: [
        { name: 'logits', data_type: 'TYPE_FP32', dims: [3, 4], label_filename: 'labels.txt' },
        { name: 'score', data_type: 'TYPE_BF16', dims: [1], reshape: { shape: [] } },
      ],
      instance_group: [{ count: 2, kind: 'KIND_GPU', gpus: [0, 1] }],
      dynamic_batching: { preferred_batch_size: [8, 16] },
      version_policy: { specific: { versions: [1, 2] } },
    });
  });

  it('reads maps written with and without colons', () => {
    const text = `parameters { key: "intra_op_thread_count" value: { string_value: "2" } }
parameters: { key: "execution_mode", value { string_value: "1" } }
model_warmup [ { name: "w" batch_size: 1 inputs: { key: "x" value: { data_type: TYPE_INT64, dims: [1, 512], zero_data: true } } } ]
dynamic_batching { priority_levels: 2 default_priority_level: 1 priority_queue_policy { key: 1 value: { timeout_action: DELAY max_queue_size: 9 } } }`;
    expect(config(text)).toEqual({
      parameters: { intra_op_thread_count: { string_value: '2' }, execution_mode: { string_value: '1' } },
      model_warmup: [
        { name: 'w', batch_size: 1, inputs: { x: { data_type: 'TYPE_INT64', dims: [1, 512], zero_data: true } } },
      ],
      dynamic_batching: {
        priority_levels: 2,
        default_priority_level: 1,
        priority_queue_policy: { 1: { timeout_action: 'DELAY', max_queue_size: 9 } },
      },
    });
  });

  it('keeps an empty message apart from an absent one', () => {
    expect(config('dynamic_batching { }\nversion_policy { all { } }')).toEqual({
      dynamic_batching: {},
      version_policy: { all: {} },
    });
    expect(config('')).toEqual({});
  });

  it('reads CRLF line ends', () => {
    expect(config('max_batch_size: 4\r\nname: "a"\r\n')).toEqual({ max_batch_size: 4, name: 'a' });
  });

  it('takes our own fields from parameters, and the options of the cuda accelerator', () => {
    const text = `parameters [ { key: "penstock.engine" value { string_value: "node" } },
  { key: "penstock.max_execution_ms" value { string_value: "250" } },
  { key: "penstock.provider.on_gpu_error" value { string_value: "cpu" } },
  { key: "penstock.provider.strict" value { string_value: "true" } },
  { key: "penstock.provider.io_binding" value { string_value: "1" } },
  { key: "penstock.provider.pinned_memory" value { string_value: "false" } },
  { key: "penstock.provider.cuda_graph_batch_sizes" value { string_value: "1, 4,16" } },
  { key: "penstock.provider.options.use_tf32" value { string_value: "0" } } ]
optimization { execution_accelerators { gpu_execution_accelerator : [ { name : "cuda" parameters { key: "gpu_mem_limit" value: "5" } } ] } }`;
    expect(config(text)).toMatchObject({
      parameters: {},
      engine: 'node',
      max_execution_ms: 250,
      provider: {
        on_gpu_error: 'cpu',
        strict: true,
        io_binding: true,
        pinned_memory: false,
        cuda_graph_batch_sizes: [1, 4, 16],
        options: { use_tf32: '0', gpu_mem_limit: '5' },
      },
    });
  });

  it.each([
    [
      'name: "a"\nmax_batchsize: 4',
      /^m\/config\.pbtxt:2: unknown field 'max_batchsize' of ModelConfig, did you mean 'max_batch_size'\?$/,
    ],
    [
      'input [\n {\n  data_typ: TYPE_FP32\n }\n]',
      /:3: unknown field 'data_typ' of ModelInput, did you mean 'data_type'\?/,
    ],
    [
      '\n\ninput { name: "x"\n data_type: FP32 }',
      /:4: data_type: expected one of .*got FP32, did you mean 'TYPE_FP32'\?/,
    ],
    ['name: "a"\n\nmax_batch_size: "4"', /:3: integer value expected/],
    ['name: "a"\nname: "b"', /:2: .*multiple values/],
    ['dynamic_batching {', /:1: expected '}'/],
    ['name: "a', /:1: unterminated string/],
    [
      'parameters { key: "penstock.engin" value { string_value: "x" } }',
      /unknown parameter 'penstock\.engin', did you mean 'penstock\.engine'\?/,
    ],
  ])('names the line and the nearest name: %j', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it('refuses any text with MODEL_INVALID or reads it, and never fails otherwise', () => {
    const words = fc.constantFrom(
      'name',
      'input',
      'dims',
      ':',
      '{',
      '}',
      '[',
      ']',
      ',',
      '"x"',
      '-1',
      '4',
      'TYPE_FP32',
      'parameters',
      'key',
      'value',
      '\n',
      '#',
      "'",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words, { maxLength: 30 }).map((list) => list.join(' ')),
        ),
        (text) => {
          try {
            parse(text);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(ServingError);
            expect((thrown as ServingError).reason).toBe('MODEL_INVALID');
          }
        },
      ),
    );
  });

  it('reads the config of the bundled example', () => {
    const path = join(import.meta.dirname, '../../../deploy/examples/models/digits/config.pbtxt');
    expect(parse(readFileSync(path, 'utf8'))).toMatchObject({
      config: { name: 'digits', version_policy: { all: {} } },
      warnings: [],
    });
  });
});

describe('YAML and JSON', () => {
  it('mean the same as text format', () => {
    const yaml = `name: a
max_batch_size: 8
input: [{ name: x, data_type: TYPE_FP32, dims: [-1, 3] }]
parameters: { intra_op_thread_count: 2, b: { string_value: y } }
engine: node
provider: { onGpuError: cpu, options: { gpu_mem_limit: 5 } }
`;
    const expected = {
      name: 'a',
      max_batch_size: 8,
      input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [-1, 3] }],
      parameters: { intra_op_thread_count: { string_value: '2' }, b: { string_value: 'y' } },
      engine: 'node',
      provider: { on_gpu_error: 'cpu', options: { gpu_mem_limit: '5' } },
    };
    expect(config(yaml, 'yaml')).toEqual(expected);
    expect(config(JSON.stringify(expected), 'json')).toEqual(expected);
  });

  it('take what a protobuf library writes: camelCase names, 64-bit integers as text', () => {
    const text =
      '{"maxBatchSize":"16","dynamicBatching":{"maxQueueDelayMicroseconds":"100"},"versionPolicy":{"specific":{"versions":["2"]}}}';
    expect(config(text, 'json')).toEqual({
      max_batch_size: 16,
      dynamic_batching: { max_queue_delay_microseconds: 100 },
      version_policy: { specific: { versions: [2] } },
    });
  });

  it.each<[string, ModelConfigSyntax, RegExp]>([
    [
      'max_batch_size: 4\ninput:\n  - name: x\n    data_tipe: y\n',
      'yaml',
      /config\.yaml:4: input\[0\]\.data_tipe: unknown field 'data_tipe', did you mean 'data_type'\?/,
    ],
    ['max_batch_size: four', 'yaml', /:1: max_batch_size: expected an integer/],
    ['a: 1\na: 2', 'yaml', /:2: .*unique/],
    ['parameters: { a: { strin_value: x } }', 'yaml', /did you mean 'string_value'\?/],
    ['[]', 'json', /expected a map/],
    ['{"a":', 'json', /not JSON/],
    ['{"max_batch_size": 1.5}', 'json', /max_batch_size/],
  ])('say where they are wrong: %j', (text, syntax, message) => {
    expect(() => parse(text, syntax)).toThrow(message);
  });

  it('cannot reach the prototypes of objects', () => {
    expect(config('{"parameters": {"__proto__": "x", "a": "y"}}', 'json').parameters).toHaveProperty('a');
    expect(() => parse('{"__proto__": {"polluted": 1}}', 'json')).toThrow(/unknown field '__proto__'/);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('checks of a model config', () => {
  it.each([
    ['input { name: "x" dims: [ 0 ] }', /dimension is at least 1/],
    ['input { name: "x" } input { name: "x" }', /input 'x' is given twice/],
    [
      'input { name: "x" dims: [ 2, 3 ] reshape { shape: [ 5 ] } }',
      /reshape \[5\] does not hold as many elements as dims \[2, 3\]/,
    ],
    [
      'max_batch_size: 8 dynamic_batching { preferred_batch_size: 9 }',
      /preferred batch size 9 is above max_batch_size 8/,
    ],
    [
      'dynamic_batching { priority_levels: 2 }',
      /default_priority_level must be from 1 to priority_levels \(2\), got 0/,
    ],
    [
      'dynamic_batching { priority_levels: 2 default_priority_level: 1 priority_queue_policy { key: 3 value { } } }',
      /priority level 3/,
    ],
    ['response_cache { enable: true } sequence_batching { }', /response_cache does not go with sequence_batching/],
    [
      'response_cache { enable: true } model_transaction_policy { decoupled: true }',
      /response_cache does not go with decoupled/,
    ],
    [
      'parameters { key: "penstock.coalesce" value { string_value: "true" } } sequence_batching { }',
      /coalesce does not go with sequence_batching/,
    ],
    ['default_model_filename: "../../secret"', /must not leave its folder/],
    ['default_model_filename: "/etc/passwd"', /relative to its folder/],
    ['version_policy { latest { num_versions: 0 } }', /from 1 to/],
    ['instance_group { gpus: [ -1 ] }', /from 0 to/],
    ['parameters { key: "penstock.requests_per_instance" value { string_value: "2" } }', /only a decoupled model/],
    [
      `${DECOUPLED} parameters { key: "penstock.requests_per_instance" value { string_value: "2000" } }`,
      /1 to 1024, got 2000/,
    ],
    [
      `${DECOUPLED} dynamic_batching { preserve_ordering: true }`,
      /preserve_ordering does not go with a decoupled model/,
    ],
    [`${DECOUPLED} parameters { key: "penstock.slo_ms" value { string_value: "50" } }`, /slo_ms does not go with/],
    [
      `${DECOUPLED} parameters { key: "penstock.batch_limit" value { string_value: "max" } }`,
      /batch_limit does not go/,
    ],
  ])('refuses %j', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});

describe('fields that are not honoured', () => {
  it.each([
    'input { name: "x" allow_ragged_batch: true }',
    'input { name: "x" is_shape_tensor: true }',
    'output { name: "x" is_shape_tensor: true }',
    'output { name: "x" is_non_linear_format_io: true }',
    'batch_input { kind: BATCH_ELEMENT_COUNT }',
    'batch_output { target_name: "x" }',
    'model_operations { op_library_filename: "x.so" }',
    'model_repository_agents { agents { name: "checksum" } }',
    'cc_model_filenames { key: "7.5" value: "x.onnx" }',
    'optimization { execution_accelerators { gpu_execution_accelerator { name: "tensorrt" } } }',
    'optimization { execution_accelerators { cpu_execution_accelerator { name: "openvino" } } }',
    'runtime: "x.so"',
  ])('are refused where answers would change: %s', (text) => {
    expect(() => parse(text)).toThrow(/not supported: /);
  });

  it.each([
    'optimization { priority: PRIORITY_MAX }',
    'optimization { cuda { graphs: true } }',
    'optimization { eager_batching: true }',
    'optimization { input_pinned_memory { enable: false } }',
    'optimization { output_pinned_memory { enable: true } }',
    'optimization { gather_kernel_buffer_threshold: 4 }',
    'instance_group { host_policy: "x" }',
    'instance_group { secondary_devices { kind: KIND_NVDLA } }',
    'instance_group { profile: "1" }',
    'instance_group { passive: true }',
    'metric_tags { key: "a" value: "b" }',
    'model_metrics { metric_control { metric_identifier { family: "x" } } }',
    'input { name: "x" format: FORMAT_NCHW }',
  ])('are warned of where they would not: %s', (text) => {
    expect(parse(text).warnings).toEqual([expect.stringMatching(/^m\/config\.pbtxt: .* is not honoured: /)]);
  });

  it.each([
    'response_cache { enable: false }',
    'model_transaction_policy { decoupled: false }',
    'input { name: "x" allow_ragged_batch: false format: FORMAT_NONE }',
    'optimization { priority: PRIORITY_DEFAULT graph { level: 1 } }',
  ])('ask for nothing where they are set to what happens anyway: %s', (text) => {
    expect(parse(text).warnings).toEqual([]);
  });
});
