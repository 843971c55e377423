import { z } from 'zod';
import { serverSlosSchema } from '../slo/schema.js';
import { criticality, tenants } from './callers.js';
import { cost } from './cost.js';
import { admin, grpc, http, ingress, metrics } from './endpoints.js';
import { buffers, cache, costs, ensembles, offload, provider, responseCache, texts } from './execution.js';
import { count, durationMs } from './fields.js';
import { payloadLogSchema } from './payload-log.js';
import { sagemakerSchema, vertexAiSchema } from './platforms.js';
import { accessLog, capture, log, tracing } from './records.js';
import { feedback, gates, shadows, state, webhook } from './releases.js';
import { slowRequestsSchema } from './slow-requests.js';
import { timelinesSchema } from './timelines.js';

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
