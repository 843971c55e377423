import { z } from 'zod';
import { IMAGE_COLORS, IMAGE_FILTERS, IMAGE_ORIENTATIONS, IMAGE_SIZINGS, type ImageColor } from '../../core/index.js';
import { checkModelConfig } from './checks.js';
import {
  count32,
  count64,
  dataType,
  dimension,
  fileName,
  milliseconds,
  parameterValue,
  positive32,
  positive64,
  weight,
} from './fields.js';
import { SCHEDULING_FIELDS } from './scheduling.js';
import { textFields } from './text.js';
import { OTHER_FIELDS } from './unserved.js';

const reshape = z.strictObject({
  shape: z
    .array(dimension())
    .default([])
    .describe('Shape that the model itself takes or gives, less the batch axis; [] is a scalar'),
});

const input = z.strictObject({
  name: z.string().min(1).describe('Name in the model'),
  data_type: dataType().optional().describe('Data type of its elements'),
  format: z.enum(['FORMAT_NONE', 'FORMAT_NHWC', 'FORMAT_NCHW']).optional().describe('What the axes of an image mean'),
  dims: z.array(dimension()).optional().describe('Shape less the batch axis; -1 = any size'),
  reshape: reshape.optional().describe('Shape the model takes where it differs from `dims`'),
  is_shape_tensor: z.boolean().optional(),
  allow_ragged_batch: z.boolean().optional().describe('Batch requests of different shapes by concatenation'),
  optional: z.boolean().optional().describe('A request may leave it out'),
  is_non_linear_format_io: z.boolean().optional(),
});

const output = z.strictObject({
  name: z.string().min(1).describe('Name in the model'),
  data_type: dataType().optional().describe('Data type of its elements'),
  dims: z.array(dimension()).optional().describe('Shape less the batch axis; -1 = any size'),
  reshape: reshape.optional().describe('Shape the model gives where it differs from `dims`'),
  label_filename: fileName().optional().describe('File with one class name a line, in the folder of the model'),
  is_shape_tensor: z.boolean().optional(),
  is_non_linear_format_io: z.boolean().optional(),
});

const versionPolicy = z.strictObject({
  latest: z
    .strictObject({ num_versions: positive32().optional().describe('How many (default 1)') })
    .optional()
    .describe('Serve the highest versions (the default, with one)'),
  all: z.strictObject({}).optional().describe('Serve every version'),
  specific: z
    .strictObject({ versions: z.array(positive64()).min(1) })
    .optional()
    .describe('Serve exactly these versions'),
});

const instanceGroup = z.strictObject({
  name: z.string().optional(),
  kind: z
    .enum(['KIND_AUTO', 'KIND_GPU', 'KIND_CPU', 'KIND_MODEL'])
    .optional()
    .describe('Where its instances run; KIND_AUTO: on the GPUs where a CUDA provider loads, else on the CPU'),
  count: count32().optional().describe('Executions at once (per GPU named); default 1'),
  gpus: z.array(count32()).optional().describe('CUDA device indices; default every GPU'),
  rate_limiter: OTHER_FIELDS.rateLimiter.optional(),
  secondary_devices: z.array(OTHER_FIELDS.secondaryDevice).optional(),
  profile: z.array(z.string()).optional(),
  passive: z.boolean().optional(),
  host_policy: z.string().optional(),
});

const warmup = z.strictObject({
  name: z.string().optional().describe('Name in the log'),
  batch_size: count32().optional().describe('Rows of the request; 0 or 1 for a model without a batch axis'),
  inputs: z
    .record(
      z.string(),
      z.strictObject({
        data_type: dataType().describe('Data type of its elements'),
        dims: z
          .array(dimension().refine((dim) => dim > 0, 'a warm-up shape is fixed'))
          .optional()
          .describe('Shape less the batch axis'),
        zero_data: z.boolean().optional().describe('All zeros (empty strings)'),
        random_data: z.boolean().optional().describe('Random values'),
        input_data_file: fileName().optional().describe('Raw tensor bytes, a file in the folder `warmup` of the model'),
      }),
    )
    .optional()
    .describe('One entry an input'),
  count: count32().optional().describe('How often it is sent; default 1'),
});

const provider = z.strictObject({
  device: z.enum(['cpu', 'cuda']).optional().describe('Where instance groups of KIND_AUTO run'),
  on_gpu_error: z
    .enum(['fail', 'cpu'])
    .optional()
    .describe('Where the GPU cannot be used: refuse the model, or serve it on the CPU and say so'),
  strict: z.boolean().optional().describe('Refuse a model any node of which would fall back to the CPU'),
  options: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String))
    .optional()
    .describe('Options passed to the execution provider, e.g. gpu_mem_limit'),
  io_binding: z
    .boolean()
    .optional()
    .describe(
      'Keep tensors at fixed places on the device, in a thread for each lane; needs fixed shapes (native engine)',
    ),
  pinned_memory: z
    .boolean()
    .optional()
    .describe('With io_binding on a GPU: lock the pages of the buffers that are copied to and from it; default true'),
  cuda_graph_batch_sizes: z
    .array(positive32())
    .min(1)
    .max(64)
    .optional()
    .describe(
      'Sizes that batches are padded up to, each run as a CUDA graph; implies io_binding, and weights for each lane: twice the count of instances',
    ),
});

const padding = z.strictObject({
  inputs: z
    .array(
      z.strictObject({
        name: z.string().min(1).describe('Name of an input'),
        axis: positive32().describe('An axis of any size, counted as in requests: 1 is the first after the batch axis'),
        value: z.number().optional().describe('What it is padded with, e.g. the padding token; default 0'),
      }),
    )
    .min(1)
    .describe('Axes of inputs whose size is the length of a request'),
  outputs: z
    .array(
      z.strictObject({
        name: z.string().min(1).describe('Name of an output'),
        axis: positive32().describe('An axis of any size'),
        follows: z.boolean().optional().describe('false: its size does not depend on the length; default true'),
      }),
    )
    .optional()
    .describe('Axes of outputs whose size is the length: answers are cut back to their own'),
  classes: z
    .array(positive32())
    .min(1)
    .max(64)
    .optional()
    .describe('Lengths that batches are padded to, ascending; default: to the longest request of the batch'),
  max_batch_tokens: positive32()
    .optional()
    .describe('Most rows times length of a batch, padding included; a request alone may have more. Default: no limit'),
});

const image = z.strictObject({
  input: z.string().min(1).describe('Name of an input'),
  resize: z
    .enum(IMAGE_SIZINGS)
    .optional()
    .describe(
      'stretch (default): both sides to width and height; shorter_side: that to resize_to, then the centre is cut out; fit: whole, centred on fill; none: it must come in the size',
    ),
  width: positive32().optional().describe("Pixels; default from the input's dims"),
  height: positive32().optional().describe("Pixels; default from the input's dims"),
  resize_to: positive32()
    .optional()
    .describe('Pixels of the shorter side before the cut; default: the larger of width and height'),
  filter: z
    .enum(IMAGE_FILTERS)
    .optional()
    .describe('How it is resized, as by Pillow, or by INTER_AREA of OpenCV (area); default bilinear'),
  antialias: z
    .boolean()
    .optional()
    .describe(
      'Whether the filter grows with what it shrinks (Pillow, torchvision; the default); false: as cv2.resize (INTER_NEAREST, INTER_LINEAR, INTER_CUBIC)',
    ),
  color: z
    .enum(Object.keys(IMAGE_COLORS) as [ImageColor, ...ImageColor[]])
    .optional()
    .describe('Channels and their order; default rgb, gray where the input has no place for three'),
  background: z
    .array(z.int().min(0).max(255))
    .length(3)
    .optional()
    .describe(
      'Red, green and blue behind transparent pixels; default: alpha is dropped, as by `convert("RGB")` of Pillow',
    ),
  orientation: z
    .enum(IMAGE_ORIENTATIONS)
    .optional()
    .describe(
      'exif (default): turned as its EXIF mark says, as viewers and OpenCV show it; ignore: as it lies in the file, as Pillow and torchvision open it',
    ),
  layout: z
    .enum(['NCHW', 'NHWC'])
    .optional()
    .describe("Order of the axes; default from the input's format, else from its dims"),
  scale: z
    .number()
    .optional()
    .describe('value = (byte * scale - mean) / std; default 1/255 for floating point, 1 for integers'),
  mean: z
    .array(z.number())
    .min(1)
    .max(4)
    .optional()
    .describe('One for all channels or one each, in their order; default 0'),
  std: z
    .array(z.number().refine((value) => value !== 0, 'expected a number that is not 0'))
    .min(1)
    .max(4)
    .optional()
    .describe('As mean; default 1'),
  fill: z.int().min(0).max(255).optional().describe('Byte around an image that `fit` has made smaller; default 0'),
  max_pixels: positive32()
    .optional()
    .describe(
      'Larger images are refused before they are decoded; default 16000000. Decoding takes some 15 bytes a pixel',
    ),
});

const plainAnswer = z.strictObject({
  outputs: z.array(z.string().min(1)).min(1).optional().describe('Outputs that it has, in this order; default all'),
  top: z
    .record(z.string(), positive32())
    .optional()
    .describe('Output to number: the so many highest values of each row with their index and label, in place of all'),
  bare: z.boolean().optional().describe('The only output stands for itself, without its name'),
});

const signatureTensors = (what: string) =>
  z
    .record(z.string().min(1).max(255), z.string().min(1))
    .refine((names) => Object.keys(names).length > 0, 'expected at least one')
    .optional()
    .describe(`Name in the signature to ${what} of the model; default all, by their own names`);

const signature = z.strictObject({
  method: z
    .enum(['predict', 'classify', 'regress'])
    .optional()
    .describe('Method that it is for: classify and regress take that one and predict; default predict'),
  inputs: signatureTensors('input'),
  outputs: signatureTensors('output'),
});

const fields = z.strictObject({
  name: z.string().optional().describe('Name of the model; where given it equals the name of its folder'),
  platform: z.string().optional().describe('Older form of `backend`: onnxruntime_onnx'),
  backend: z
    .string()
    .optional()
    .describe(
      'onnxruntime, script, or timed (load tests: waits instead of computing); completed from the files where not given',
    ),
  runtime: OTHER_FIELDS.runtime.optional(),
  version_policy: versionPolicy.optional().describe('Which versions are served'),
  max_batch_size: count32().optional().describe('Most rows of one execution; 0: the model has no batch axis'),
  input: z.array(input).optional().describe('Inputs; completed from the model where not given'),
  output: z.array(output).optional().describe('Outputs; completed from the model where not given'),
  batch_input: z.array(OTHER_FIELDS.batchInput).optional(),
  batch_output: z.array(OTHER_FIELDS.batchOutput).optional(),
  optimization: OTHER_FIELDS.optimization.optional().describe('How the engine optimises and runs the graph'),
  dynamic_batching: SCHEDULING_FIELDS.dynamicBatching.optional().describe('Gather requests into batches'),
  sequence_batching: SCHEDULING_FIELDS.sequenceBatching
    .optional()
    .describe('Serve sequences: requests that belong together, in order, with state kept between them'),
  ensemble_scheduling: SCHEDULING_FIELDS.ensembleScheduling.optional(),
  instance_group: z.array(instanceGroup).optional().describe('Where the model runs and how often at once'),
  default_model_filename: fileName()
    .optional()
    .describe('Model file in the folder of a version; default model.onnx, model.js, model.mjs or curve.txt'),
  cc_model_filenames: z.record(z.string(), fileName()).optional(),
  metric_tags: z.record(z.string(), z.string()).optional(),
  parameters: z
    .record(z.string(), parameterValue())
    .optional()
    .describe('Parameters of the backend, e.g. intra_op_thread_count'),
  model_warmup: z.array(warmup).optional().describe('Requests that every instance answers before the version is ready'),
  model_operations: OTHER_FIELDS.operations.optional(),
  model_transaction_policy: OTHER_FIELDS.transactionPolicy.optional().describe('How many responses a request has'),
  requests_per_instance: positive32()
    .optional()
    .describe(
      'Requests that one instance of a decoupled model answers at once: more than one where it mostly waits; default 1. Ours',
    ),
  model_repository_agents: OTHER_FIELDS.repositoryAgents.optional(),
  response_cache: OTHER_FIELDS.responseCache.optional(),
  model_metrics: OTHER_FIELDS.metrics.optional(),
  engine: z
    .enum(['native', 'node'])
    .optional()
    .describe(
      "ONNX engine: ONNX Runtime's C API (native), or onnxruntime-node's binding in worker threads (node). Ours",
    ),
  max_execution_ms: count64()
    .optional()
    .describe('A run of more milliseconds marks its instance lost; 0 = no limit. Ours'),
  slo_ms: milliseconds()
    .optional()
    .describe('Requests shall be answered within so many ms of their arrival; 0 = no such aim. Ours'),
  device_weight: weight()
    .optional()
    .describe(
      "Part of a device's time beside other models', where the server limits executions (maxDeviceExecutions); default 1. Ours",
    ),
  batch_limit: z
    .enum(['auto', 'max'])
    .optional()
    .describe(
      'auto: no batch is larger than pays by what executions were seen to take; max: up to max_batch_size. Default auto where there is an SLO, and for requests with a deadline; else max. Ours',
    ),
  cost_sweep_ms: milliseconds()
    .optional()
    .describe(
      "Most ms after warm-up in which the time of executions is measured by batch size; 0 = not. Default the server's costs.sweepMs where there is an SLO or batch_limit is auto, else 0. Needs model_warmup. Ours",
    ),
  split_large_requests: z
    .boolean()
    .optional()
    .describe('Take requests of up to 64 times max_batch_size rows: split into parts, answered as one. Ours'),
  coalesce: z
    .boolean()
    .optional()
    .describe(
      'Identical requests in flight are computed once; for models whose answers depend on their inputs alone. Ours',
    ),
  padding: padding
    .optional()
    .describe(
      'Requests of different lengths may share a batch, the shorter ones padded; only where that is safe. Ours',
    ),
  allowed_batch_sizes: z
    .array(positive32())
    .min(1)
    .max(64)
    .optional()
    .describe('Sizes that executions may have, ascending, the last max_batch_size; dummy rows fill them. Ours'),
  iterative_output: z
    .string()
    .min(1)
    .optional()
    .describe('BOOL output by which a model with iterative_sequence asks to be run again; default again. Ours'),
  max_iterations: positive32()
    .optional()
    .describe('Most runs of one request of a model with iterative_sequence; default 4096. Ours'),
  max_sequence_state_bytes: positive64()
    .optional()
    .describe('Most bytes of state that are kept for one sequence; default 67108864. Ours'),
  text: textFields
    .optional()
    .describe('Texts in, vectors or scores out: serves the model by the protocols of embedding servers. Ours'),
  provider: provider.optional().describe('Execution provider policy. Ours'),
  images: z
    .array(image)
    .min(1)
    .optional()
    .describe('Inputs that take images (PNG, JPEG, WebP, GIF) on plain routes, and how. Ours'),
  plain_answer: plainAnswer.optional().describe('How answers of plain routes look. Ours'),
  explainer: z
    .string()
    .min(1)
    .optional()
    .describe("Model that explains this one: KServe V1's :explain of this model is a prediction of that one. Ours"),
  signatures: z
    .record(z.string().min(1).max(255), signature)
    .optional()
    .describe(
      "Signatures by name, for TensorFlow Serving's clients: some of the inputs and outputs, by other names. serving_default, where it is not among them, is all of the model. Ours",
    ),
});

/**
 * Triton's ModelConfig (`model_config.proto`) in the JSON form with snake_case names, enums by name; after it
 * fields of ours (`engine`, `max_execution_ms`, `slo_ms`, `device_weight`, `batch_limit`, `cost_sweep_ms`, `split_large_requests`, `coalesce`, `padding`,
 * `allowed_batch_sizes`, `max_sequence_state_bytes`, `iterative_output`, `max_iterations`, `text`, `provider`, `images`, `plain_answer`, `explainer`, `signatures`). Everything is
 * optional: what is absent is completed from the model. Unknown fields are refused.
 */
export const modelConfigSchema = fields.superRefine(checkModelConfig);

/** A parsed and checked model config. See `modelConfigSchema`. */
export type ModelConfig = z.output<typeof fields>;
