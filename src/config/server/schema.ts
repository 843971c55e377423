import { z } from 'zod';
import { serverSlosSchema } from '../slo/schema.js';
import { corsSchema } from './cors.js';
import { cost } from './cost.js';
import { forwardPatternSchema } from './forward-pattern.js';
import { payloadLogSchema } from './payload-log.js';
import { sagemakerSchema, vertexAiSchema } from './platforms.js';
import { restrictedApisSchema } from './restricted-apis.js';
import { slowRequestsSchema } from './slow-requests.js';
import { timelinesSchema } from './timelines.js';
import { grpcTlsSchema, httpTlsSchema } from './tls.js';

const port = () => z.int().min(0).max(65535);
const address = () => z.string().min(1);
const bytes = () =>
  z
    .int()
    .min(1)
    .max(2 ** 32);
/** 0 = none. */
const memoryBytes = () =>
  z
    .int()
    .min(0)
    .max(2 ** 36);
const durationMs = () =>
  z
    .int()
    .min(0)
    .max(2 ** 31 - 1);
const count = () => z.int().min(1).max(10_000_000);

const unixSocket = () =>
  z
    .string()
    .min(1)
    .max(99)
    .optional()
    .describe('Unix domain socket to listen on beside the port; with ingress threads the first of them has it');
const unixSocketMode = () =>
  z
    .string()
    .regex(/^0?[0-7]{3}$/, 'expected permissions as three octal digits, 660 say')
    .default('660')
    .describe('Permissions of the Unix socket, octal: who may write may connect');

const reusePort = () =>
  z
    .boolean()
    .default(false)
    .describe(
      'Listen on the port beside other servers that do so too (SO_REUSEPORT, Linux): the system shares connections out among them',
    );

const websocket = z.strictObject({
  maxConnections: count().default(10_000).describe('Most WebSocket connections at once'),
  maxInFlight: count().default(64).describe('Most requests of one connection that are not answered yet'),
  maxFrameBytes: bytes()
    .default(64 * 1024 * 1024)
    .describe('Largest WebSocket frame, in bytes, before and after decompression'),
  maxBackpressureBytes: bytes()
    .default(64 * 1024 * 1024)
    .describe('Most bytes waiting for a slow reader before its connection is closed'),
  compression: z
    .boolean()
    .default(false)
    .describe('Offer permessage-deflate; frames are compressed and inflated on the thread of the sockets'),
  idleTimeoutSecs: z
    .int()
    .min(8)
    .max(960)
    .default(120)
    .describe('A connection silent for so long is closed (pings count), in seconds'),
});

const http = z.strictObject({
  enabled: z.boolean().default(true).describe('Serve HTTP and WebSocket'),
  address: address().default('127.0.0.1').describe('Address to listen on; 0.0.0.0 is every network'),
  port: port().default(8000).describe('Port; 0 takes a free one'),
  unixSocket: unixSocket(),
  unixSocketMode: unixSocketMode(),
  maxInputBytes: bytes()
    .default(64 * 1024 * 1024)
    .describe('Largest request body, in bytes, before and after decompression'),
  tls: httpTlsSchema.prefault({}).describe('TLS of HTTP and WebSocket'),
  cors: corsSchema.prefault({}).describe('What web pages of other origins may do'),
  restrictedApis: restrictedApisSchema.describe(
    'Groups of calls that need a header, GROUP[,GROUP...]:KEY=VALUE; others are refused with 403',
  ),
  reusePort: reusePort(),
  headerForwardPattern: forwardPatternSchema.describe(
    'Headers whose names match this regular expression (anywhere in the name, in any case) become parameters of their requests',
  ),
  websocket: websocket.prefault({}).describe('WebSocket connections'),
});

const grpc = z.strictObject({
  enabled: z.boolean().default(true).describe('Serve gRPC'),
  address: address().default('127.0.0.1').describe('Address to listen on; 0.0.0.0 is every network'),
  port: port().default(8001).describe('Port; 0 takes a free one'),
  unixSocket: unixSocket(),
  unixSocketMode: unixSocketMode(),
  maxMessageBytes: bytes()
    .default(64 * 1024 * 1024)
    .describe('Largest message, in bytes'),
  answerTimeoutMs: durationMs()
    .default(60_000)
    .describe('Reset a call whose answer is not read in so many milliseconds, and one more per 64 bytes; 0 = never'),
  keepaliveTimeMs: durationMs().default(60_000).describe('Ping a connection every so many milliseconds; 0 = never'),
  keepaliveTimeoutMs: durationMs()
    .default(20_000)
    .describe('Close a connection that leaves a ping or the handshake unanswered for so many milliseconds'),
  maxConnectionAgeMs: durationMs()
    .default(0)
    .describe('Ask a connection to close after so many milliseconds; 0 = never'),
  maxConnectionAgeGraceMs: durationMs()
    .default(0)
    .describe('Time the calls of such a connection get to end, in milliseconds; 0 = no limit'),
  tls: grpcTlsSchema.prefault({}).describe('TLS of gRPC'),
  restrictedProtocols: restrictedApisSchema.describe(
    'Groups of calls that need the metadata triton-grpc-protocol-KEY, GROUP[,GROUP...]:KEY=VALUE; others are refused with PERMISSION_DENIED',
  ),
  reusePort: reusePort(),
  headerForwardPattern: forwardPatternSchema.describe(
    'Metadata whose keys match this regular expression (anywhere in the key, in any case) become parameters of their requests',
  ),
  streamForm: z
    .enum(['triton', 'mlserver'])
    .default('triton')
    .describe(
      "What ModelStreamInfer answers with: Triton's ModelStreamInferResponse, or ModelInferResponse as MLServer and Seldon",
    ),
});

const ingress = z.strictObject({
  threads: z
    .union([z.literal('auto'), z.int().min(0).max(64)])
    .default('auto')
    .describe(
      'Threads that own the sockets of HTTP and gRPC, decode and encode; 0 = the main thread does; auto = by the number of cores (Linux)',
    ),
  maxInFlight: z
    .int()
    .min(16)
    .max(65_536)
    .default(8192)
    .describe('Most requests of one such thread that are not answered yet; rounded up to a power of two'),
});

const metrics = z.strictObject({
  enabled: z.boolean().default(true).describe('Serve Prometheus metrics at /metrics'),
  address: address().default('127.0.0.1').describe('Address to listen on; 0.0.0.0 is every network'),
  port: port().default(8002).describe('Port; 0 takes a free one'),
  cpu: z.boolean().default(true).describe('Figures of the host: use of its cores and memory'),
  gpu: z
    .boolean()
    .default(true)
    .describe(
      'Figures of the GPUs (energy, power, memory, use, temperature) once a model runs on one, by NVML, else by one nvidia-smi',
    ),
  gpuAlways: z.boolean().default(false).describe('Also where no model runs on a GPU'),
  counterLatencies: z
    .boolean()
    .default(true)
    .describe("Triton's counters of time (nv_inference_*_duration_us, nv_cache_*_duration_per_model)"),
  histogramLatencies: z
    .boolean()
    .default(true)
    .describe("Triton's histogram of the time to the first response, of models that answer in parts"),
});

const admin = z.strictObject({
  address: address()
    .default('127.0.0.1')
    .describe('Address to listen on; for others than this machine put a proxy that ends TLS in front'),
  port: port()
    .optional()
    .describe(
      'Port of the admin API (routes, flags, filters, rollouts, costs, audit), 8003 by custom; default: it does not listen. Every call asks for a token',
    ),
});

const state = z.strictObject({
  folder: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder of what outlives the gateway (rollouts and their decisions, routes of operators, audit), for one gateway at a time; off = memory only. Default: penstock/REPOSITORY in $XDG_STATE_HOME, else in ~/.local/state, made with the first release or where the admin API listens',
    ),
});

const webhook = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected letters, digits, dots, dashes, underscores')
    .describe('As plans name it (`notify`)'),
  url: z
    .url({ protocol: /^https?$/ })
    .describe('Gets a POST of a CloudEvent 1.0 at each move of a rollout, and where a budget is used to a threshold'),
  secretFile: z
    .string()
    .min(1)
    .optional()
    .describe('File with the secret that signs it (Standard Webhooks), at least 24 bytes; default: unsigned'),
});

/** Of `log.format`. */
export const LOG_FORMATS = ['default', 'ISO8601', 'json'] as const;

const log = z.strictObject({
  verboseLevel: z.int().min(0).max(10).default(0).describe('Verbose messages: 0 = none, 1 and above = debug'),
  info: z.boolean().default(true).describe('Log messages of level info'),
  warning: z.boolean().default(true).describe('Log messages of level warning'),
  error: z.boolean().default(true).describe('Log messages of level error'),
  format: z
    .enum(LOG_FORMATS)
    .default('default')
    .describe('default: JSON lines in a pipe, readable lines on a terminal; ISO8601: readable lines; json: JSON lines'),
  file: z.string().optional().describe('File to append to, instead of standard error'),
});

const provider = z.strictObject({
  device: z
    .enum(['cpu', 'cuda'])
    .optional()
    .describe('Where models run whose config does not say; default: the GPU where its provider loads, else the CPU'),
  onGpuError: z
    .enum(['fail', 'cpu'])
    .default('fail')
    .describe('Where the GPU asked for cannot be used: refuse the model, or serve it on the CPU and say so'),
  strict: z.boolean().default(false).describe('Refuse a model any node of which would fall back to the CPU'),
  gpuWait: z
    .enum(['block', 'yield', 'spin', 'auto'])
    .default('block')
    .describe(
      'How a thread waits for its GPU. block: asleep; spin: answers sooner by some microseconds and keeps a core busy; auto: as CUDA chooses',
    ),
  gpuMemoryBytes: z
    .int()
    .min(1)
    .max(2 ** 50)
    .optional()
    .describe(
      'Most GPU memory of the arenas of all models on one GPU; every model on it then needs the provider option gpu_mem_limit, and their sum stays below',
    ),
});

const offload = z.strictObject({
  threads: z
    .int()
    .min(1, 'expected 1 at least: compressed bodies, large JSON and tokenizers have no other place')
    .max(256)
    .optional()
    .describe('Threads for large JSON bodies, decompression and tokenizers; default by the number of cores'),
  maxQueueSize: count().default(256).describe('Most tasks waiting for the offload threads'),
  jsonBytes: bytes()
    .default(256 * 1024)
    .describe('JSON bodies from this size on are decoded on the offload threads, in bytes'),
});

const texts = z.strictObject({
  embeddingModel: z
    .string()
    .optional()
    .describe('Model that requests of embeddings mean which name none; default the only one of task embed'),
  sparseModel: z.string().optional().describe('The same for /embed_sparse'),
  rerankModel: z.string().optional().describe('The same for /rerank'),
  classifyModel: z.string().optional().describe('The same for /predict'),
  maxClientBatchSize: z
    .int()
    .min(1)
    .max(65_536)
    .default(32)
    .describe("Most texts of one request of text-embeddings-inference (OpenAI's takes 2,048)"),
});

const buffers = z.strictObject({
  maxBytes: memoryBytes()
    .default(256 * 1024 * 1024)
    .describe(
      'Pooled memory for request and reply bodies, in bytes, used in parts of 16 MiB; taken from the system as it is ' +
        'used and given back after. Where it is used up, bodies take garbage-collected memory. 0 = none is pooled',
    ),
});

const responseCache = z.strictObject({
  maxBytes: memoryBytes()
    .default(0)
    .describe(
      'Bytes that answers of models with `response_cache` may take together; those not used for longest go first. 0 = no answer is kept',
    ),
});

const ensembles = z.strictObject({
  maxInFlight: z
    .int()
    .min(1)
    .max(1e6)
    .default(4096)
    .describe(
      'Requests of one version of an ensemble that are not answered, at most; more are refused with QUEUE_FULL',
    ),
  maxBytes: memoryBytes()
    .default(256 * 1024 * 1024)
    .describe(
      'Intermediate tensors of all ensembles, in bytes, at most; a request that needs more is refused with OVERLOADED',
    ),
});

const cache = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('Keep compiled ONNX models on disk: loading them again takes less time and memory (native engine, CPU)'),
  folder: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of compiled models; default: penstock/models in $XDG_CACHE_HOME, else in ~/.cache'),
  maxBytes: z
    .int()
    .min(1)
    .max(2 ** 50)
    .default(8 * 1024 ** 3)
    .describe('Most bytes in the folder of compiled models; what was used longest ago goes first'),
  minModelBytes: z
    .int()
    .min(0)
    .max(2 ** 50)
    .default(1024 * 1024)
    .describe('Smaller models are not kept: they load faster without'),
});

const costs = z.strictObject({
  sweepMs: z
    .int()
    .min(0)
    .max(60_000)
    .default(500)
    .describe(
      'Most ms after the warm-up of a version that plans by the time of its executions (slo_ms, batch_limit) in which it is measured by batch size; 0 = it is learned from requests only. A model may set its own (cost_sweep_ms)',
    ),
  keep: z
    .boolean()
    .default(true)
    .describe(
      'Keep what was learned of the time of executions with the compiled models, for the next start (native engine)',
    ),
});

const believed = () => z.enum(['off', 'header', 'parameter', 'any']);

const tenants = z.strictObject({
  source: believed()
    .default('header')
    .describe(
      'Where the tenant of a request is believed to be named: a header (HTTP, upgrade of a WebSocket) or metadata key (gRPC), which a proxy can set; a request parameter; any of them, a header first; off',
    ),
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, 'expected lower-case letters, digits and dashes')
    .default('x-penstock-tenant')
    .describe('Name of that header, metadata key or parameter'),
  weights: z
    .record(z.string().min(1).max(64), z.number().min(0.01).max(1000))
    .refine((weights) => Object.keys(weights).length <= 512, 'expected at most 512 tenants')
    .default({})
    .describe('Tenants that are known, with their parts of the device time where several have requests waiting'),
  maxUnlisted: z
    .int()
    .min(0)
    .max(256)
    .default(0)
    .describe(
      'Most other tenants that have a part of their own (weight 1) at once, while they are used; those beyond share one. 0: all names that are not listed share one',
    ),
});

const criticality = z.strictObject({
  source: believed()
    .default('any')
    .describe(
      'Where a request is believed to say how much it matters under overload: header or metadata key x-penstock-criticality, parameter of that name, any of them, a header first; off',
    ),
});

const feedback = z
  .strictObject({
    maxPredictions: z
      .int()
      .min(1)
      .max(10_000_000)
      .default(200_000)
      .describe('Most predictions of rollouts that feedback may come for; the oldest go first. Some 300 bytes each'),
    keepSecs: z
      .int()
      .min(1)
      .max(31 * 86_400)
      .default(86_400)
      .describe('How long feedback may come after its prediction, in seconds'),
    maxEarly: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(20_000)
      .describe('Most items of feedback that wait for predictions that are not known yet'),
    earlySecs: z.int().min(0).max(86_400).default(60).describe('How long such an item waits, in seconds'),
    settleSecs: z
      .int()
      .min(0)
      .max(31 * 86_400)
      .default(0)
      .describe(
        'Labels count where they come within so many seconds of their prediction, and are handed on together then: fair where wrong predictions are noticed sooner, or later, than right ones. 0 = as they come',
      ),
  })
  .refine(({ keepSecs, settleSecs }) => settleSecs <= keepSecs, 'settleSecs is more than keepSecs');

const gates = z.strictObject({
  requireGolden: z.boolean().default(false).describe('Refuse versions without a golden set'),
  requireModelCard: z
    .boolean()
    .default(false)
    .describe('Refuse versions without a model card (MODEL_CARD.md or model-card.yaml), or with fields missing'),
  modelCardFields: z
    .array(z.string().min(1).max(64))
    .max(64)
    .default(['license', 'description'])
    .describe('Fields that a model card must have, not empty'),
  requireSignature: z.boolean().default(false).describe('Refuse versions that are not signed by one of publicKeys'),
  publicKeys: z
    .array(z.string().min(1))
    .max(256)
    .default([])
    .describe(
      'Files of public keys (minisign). A signature of a version is looked at where there are some, and refuses it where it does not count',
    ),
});

const shadows = z.strictObject({
  maxInFlight: z
    .int()
    .min(0)
    .max(4096)
    .default(16)
    .describe(
      'Most copies of requests for a candidate (shadow traffic) at once, of each thread that takes requests; those beyond are dropped. 0 = no copies',
    ),
  maxBytes: bytes()
    .default(16 * 1024 * 1024)
    .describe('Most bytes of requests and answers that are kept for them, of each such thread'),
  absoluteTolerance: z
    .number()
    .min(0)
    .max(1e6)
    .default(1e-5)
    .describe('Floats of two answers agree where they differ by at most this and the relative tolerance'),
  relativeTolerance: z.number().min(0).max(1).default(1e-3).describe('Relative to the answer of the baseline'),
});

const names = () => z.array(z.string().min(1).max(256)).max(256).default([]);

const capture = z.strictObject({
  folder: z
    .string()
    .min(1)
    .optional()
    .describe('Folder for sampled requests and answers, as Parquet files; default: none are captured'),
  percent: z
    .record(z.string().min(1).max(255), z.number().min(0).max(100))
    .default({})
    .describe('Percent of the requests that is captured, by model; `*` = every model that is not named'),
  redact: z
    .record(
      z.string().min(1).max(255),
      z.strictObject({
        dropInputs: names().describe('Inputs whose bytes are not kept; such requests cannot be replayed'),
        hashInputs: names().describe('Inputs of which a hash is kept, with a key of this run of the process'),
        dropOutputs: names().describe('Outputs whose bytes are not kept'),
        maskParameters: names().describe('Request parameters whose values are not kept'),
      }),
    )
    .default({})
    .describe('What is left out of the captures, by model; `*` as above'),
  tenant: z
    .enum(['keep', 'hash', 'drop'])
    .default('hash')
    .describe("What is kept of the tenant's name: all, a hash with a key of this run of the process, nothing"),
  maxRequestBytes: bytes()
    .default(1024 * 1024)
    .describe('Larger requests, with their answers, are not captured'),
  maxBytesPerSecond: bytes()
    .default(4 * 1024 * 1024)
    .describe('Most bytes captured in a second; what comes beyond is not'),
  maxPendingBytes: bytes()
    .default(16 * 1024 * 1024)
    .describe('Most bytes on their way to the thread that writes; what comes beyond is not captured'),
  fileBytes: bytes()
    .default(16 * 1024 * 1024)
    .describe('A file is written when it has so many bytes, before compression,'),
  fileSecs: z.int().min(1).max(86_400).default(60).describe('or its first row is so old, in seconds'),
  maxBytes: z
    .int()
    .min(1)
    .max(2 ** 50)
    .default(1024 ** 3)
    .describe('Most bytes of capture files in the folder; the oldest go'),
});

const tracing = z.strictObject({
  enabled: z
    .enum(['auto', 'on', 'off'])
    .default('auto')
    .describe('Make traces and export them; auto = where an endpoint is named, here or by OTEL_EXPORTER_OTLP_ENDPOINT'),
  protocol: z
    .enum(['http/protobuf', 'grpc'])
    .optional()
    .describe('OTLP over HTTP or gRPC; default: OTEL_EXPORTER_OTLP_PROTOCOL, or http/protobuf'),
  endpoint: z
    .url()
    .optional()
    .describe('Of the collector: http://host:4318, or http://host:4317 for gRPC; default: OTEL_EXPORTER_OTLP_ENDPOINT'),
  headers: z
    .record(z.string().min(1), z.string())
    .default({})
    .describe('Sent with every export; secrets are better off in OTEL_EXPORTER_OTLP_HEADERS'),
  serviceName: z.string().min(1).optional().describe('`service.name`; default: OTEL_SERVICE_NAME, or penstock'),
  resource: z
    .record(z.string().min(1), z.string())
    .default({})
    .describe('Further attributes of the resource; win over OTEL_RESOURCE_ATTRIBUTES'),
  percent: z
    .number()
    .min(0)
    .max(100)
    .optional()
    .describe('Percent of the traces that begin here; default: OTEL_TRACES_SAMPLER_ARG, or 1'),
  followParent: z
    .boolean()
    .optional()
    .describe(
      "Keep what the caller's traceparent says is sampled, and only that; default: as OTEL_TRACES_SAMPLER says, or true",
    ),
  keepErrors: z
    .enum(['none', 'server', 'all'])
    .default('server')
    .describe('Keep traces of requests that failed, whatever was drawn: server = not by fault of the caller'),
  keepSlowerThanMs: durationMs()
    .optional()
    .describe('Keep traces of requests that took longer, in milliseconds, whatever was drawn; default: none for that'),
  maxTracesPerSecond: z
    .int()
    .min(1)
    .max(100_000)
    .default(100)
    .describe('Most traces kept in a second, over all threads'),
  maxWaitingSpans: z.int().min(512).max(1_000_000).default(8192).describe('Spans that wait for their export, at most'),
  exportEveryMs: z
    .int()
    .min(10)
    .max(60_000)
    .default(1000)
    .describe('How long a span waits for others, in milliseconds'),
  exportTimeoutMs: z.int().min(10).max(600_000).default(10_000).describe('Time one export has, with its repetitions'),
  exitTimeoutMs: durationMs().default(3000).describe('Time to export what is left when the process ends'),
});

const accessLog = z.strictObject({
  destination: z
    .string()
    .min(1)
    .default('off')
    .describe('off, stdout, stderr, or a file: appended to, and made anew within a second where it was moved away'),
  format: z
    .enum(['json', 'combined'])
    .default('json')
    .describe('JSON lines, or Combined Log Format with more behind it'),
  percent: z
    .number()
    .min(0)
    .max(100)
    .default(100)
    .describe('Percent of the requests that is written; those that failed are in any case'),
  client: z.boolean().default(true).describe("Write the address of the caller's end of the connection"),
  userAgent: z.boolean().default(false).describe("Write the caller's user agent"),
  tenant: z.boolean().default(true).describe("Write the tenant's name"),
  maxPending: z
    .int()
    .min(128)
    .max(1_000_000)
    .default(16_384)
    .describe('Requests whose lines are not written yet, at most, over all threads; those beyond have none'),
});

/** Triton's `--rate-limit-resource`. */
const rateLimitResource = z
  .string()
  .regex(/^[^:]+:\d{1,9}(:\d{1,4})?$/, 'expected NAME:COUNT or NAME:COUNT:DEVICE')
  .transform((text) => {
    const [name = '', count, device] = text.split(':');
    return { name, count: Number(count), device: device === undefined ? undefined : Number(device) };
  });

/**
 * The one schema of the server: types, defaults, checks and descriptions. `penstock.yaml` has these keys; the flags of
 * the command line (`flags.ts`) name paths in it; the reference page is written from it.
 */
export const serverConfigSchema = z.strictObject({
  repositories: z
    .array(z.string().min(1))
    .default([])
    .describe('Folders of models, each laid out NAME/VERSION/model.onnx'),
  modelControlMode: z
    .enum(['none', 'explicit', 'poll'])
    .default('none')
    .describe(
      'none: every model is loaded at the start; explicit: those of loadModels, and others when asked to over the API; poll: every model, and what changes in the folders later',
    ),
  repositoryPollSecs: z
    .int()
    .min(1)
    .max(86_400)
    .default(15)
    .describe('In mode poll, how often the folders are looked at, in seconds'),
  loadModels: z.array(z.string().min(1)).default([]).describe('Models to load at the start in mode explicit; * = all'),
  labelsForUnavailableVersions: z
    .boolean()
    .default(false)
    .describe(
      "A label that is new may be set on a version that does not serve yet, by TensorFlow Serving's reload of configs; it counts when the version serves",
    ),
  autoCompleteConfig: z
    .boolean()
    .default(true)
    .describe('Complete the config of a model from its file; without, the config must be whole'),
  exitTimeoutSecs: z
    .int()
    .min(0)
    .max(86_400)
    .default(30)
    .describe('Time that accepted requests get to finish at a stop, in seconds'),
  exitOnError: z
    .boolean()
    .default(false)
    .describe('Stop where a model fails to load at the start; false: serve the others'),
  strictReadiness: z.boolean().default(true).describe('Ready only where every declared model version is ready'),
  maxQueueSize: count()
    .default(10_000)
    .describe('Most requests waiting for one model version; its config may set less'),
  maxExecutionMs: durationMs()
    .default(0)
    .describe('A run of more milliseconds marks its instance lost; 0 = no limit. A model may set its own'),
  maxDeviceExecutions: z
    .union([z.literal('auto'), z.int().min(0).max(1024)])
    .default(0)
    .describe(
      'Executions at once on one device, over all models; where more want to run, models take turns by their device_weight. auto: as many as cores, on a GPU 2; 0 = not limited',
    ),
  sloMs: z
    .number()
    .min(0)
    .max(2 ** 31 - 1)
    .default(0)
    .describe(
      'Requests shall be answered within so many ms of their arrival; those that cannot be are refused early. 0 = no such aim. A model may set its own',
    ),
  schedulingPolicy: z
    .enum(['penstock', 'pull', 'pull-drop', 'aimd', 'symphony'])
    .default('penstock')
    .describe('How batches of models with an SLO are scheduled; all but penstock are there to be compared with'),
  rateLimit: z
    .enum(['off', 'execution_count'])
    .default('off')
    .describe("execution_count: instances run only while they hold the resources of their group's `rate_limiter`"),
  rateLimitResources: z
    .array(rateLimitResource)
    .default([])
    .describe(
      'How much of a resource there is, NAME:COUNT or NAME:COUNT:DEVICE; default the most that an instance needs',
    ),
  engine: z
    .enum(['native', 'node'])
    .default('native')
    .describe("ONNX engine: ONNX Runtime's C API, or onnxruntime-node's binding in worker threads"),
  globalThreadPool: z
    .int()
    .min(0)
    .max(1024)
    .default(0)
    .describe(
      'Threads of one pool that ONNX models share which set no thread counts of their own (native engine, CPU); 0 = each model has its own',
    ),
  serverId: z.string().min(1).max(256).default('penstock').describe('Name of the server in its metadata'),
  allowClientShm: z
    .boolean()
    .default(false)
    .describe(
      'Take tensors from, and give them to, POSIX shared memory that clients register (Linux). Whoever may register it can read and write all of /dev/shm that this process can',
    ),
  tritonCompatibleErrors: z
    .boolean()
    .default(false)
    .describe("Answer errors with Triton's own codes and words, for clients and tests that look at them"),
  modelConfigName: z
    .string()
    .regex(/^[^\s/]{1,255}$/, 'expected a name without spaces and slashes')
    .optional()
    .describe('Models that have configs/NAME.pbtxt are served by it, in the place of their config.pbtxt'),
  modelLoadThreads: z.int().min(1).max(1024).default(4).describe('Most model versions that load at once'),
  modelLoadRetries: z
    .int()
    .min(0)
    .max(1000)
    .default(0)
    .describe('How often a version that fails to load is tried again, at once'),
  jsonNan: z.boolean().default(false).describe('Read and write NaN and infinities in JSON, which JSON does not have'),
  adminTokenFile: z
    .string()
    .min(1)
    .optional()
    .describe(
      'File that holds the admin token: for loading and unloading models from other machines, and for the admin API; default: a new token, printed at the start',
    ),
  tokensFile: z
    .string()
    .min(1)
    .optional()
    .describe('File of further tokens with their scopes, hashed (penstock token create); read again when it changes'),
  http: http.prefault({}).describe('HTTP and WebSocket'),
  grpc: grpc.prefault({}).describe('gRPC'),
  sagemaker: sagemakerSchema.prefault({}).describe('Amazon SageMaker'),
  vertexAi: vertexAiSchema.prefault({}).describe('Google Vertex AI'),
  metrics: metrics.prefault({}).describe('Metrics'),
  admin: admin.prefault({}).describe('Admin API'),
  webhooks: z
    .array(webhook)
    .max(16)
    .default([])
    .superRefine((hooks, context) => {
      const names = hooks.map(({ name }) => name);
      for (const [i, name] of names.entries())
        if (names.indexOf(name) < i)
          context.addIssue({
            code: 'custom',
            path: [i, 'name'],
            message: `two webhooks are named '${name}'`,
            input: name,
          });
    })
    .describe('Who is told of the moves of rollouts, and of budgets'),
  state: state.prefault({}).describe('What outlives the gateway'),
  log: log.prefault({}).describe('Log'),
  provider: provider.prefault({}).describe('Execution providers'),
  cache: cache.prefault({}).describe('Compiled models'),
  costs: costs.prefault({}).describe('Time of executions'),
  cost: cost.prefault({}).describe('Money: what devices cost, and whose their time is'),
  buffers: buffers.prefault({}).describe('Pooled memory for bodies'),
  responseCache: responseCache.prefault({}).describe('Answers kept for identical requests'),
  ensembles: ensembles.prefault({}).describe('Ensembles: models made of requests for others'),
  ingress: ingress.prefault({}).describe('Threads that own sockets'),
  tenants: tenants.prefault({}).describe('Tenants, who share devices and queues fairly'),
  criticality: criticality.prefault({}).describe('What is refused first under overload'),
  feedback: feedback.prefault({}).describe('What is learned of predictions after they were made'),
  gates: gates.prefault({}).describe('What versions have to show before they serve'),
  shadows: shadows.prefault({}).describe('Copies of requests that candidates answer for comparison'),
  slos: serverSlosSchema,
  slowRequests: slowRequestsSchema.prefault({}).describe('Log of slow requests'),
  capture: capture.prefault({}).describe('Sampled requests and answers, kept'),
  accessLog: accessLog.prefault({}).describe('A line for each request'),
  tracing: tracing.prefault({}).describe('Traces of requests, exported to a collector (OpenTelemetry)'),
  timelines: timelinesSchema
    .prefault({})
    .describe("Triton's traces: timelines of requests in a file; settings change at run time"),
  payloadLog: payloadLogSchema.prefault({}).describe('Requests and answers, logged to files and receivers'),
  texts: texts.prefault({}).describe('Models of texts, and the protocols of embedding servers'),
  offload: offload.prefault({}).describe('Threads for work that would hold a socket'),
  backends: z
    .record(z.string(), z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String)))
    .default({})
    .describe('Default parameters by backend, e.g. `onnxruntime,intra_op_thread_count=2`; those of a model win'),
});

/** The server's configuration, complete. Frozen by `loadServerConfig`. */
export type ServerConfig = z.output<typeof serverConfigSchema>;
