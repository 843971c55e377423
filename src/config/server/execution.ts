/** What executions run on, and what is kept for them. */
import { z } from 'zod';
import { bytes, count, memoryBytes } from './fields.js';

export const provider = z.strictObject({
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

export const offload = z.strictObject({
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

export const texts = z.strictObject({
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

export const buffers = z.strictObject({
  maxBytes: memoryBytes()
    .default(256 * 1024 * 1024)
    .describe(
      'Pooled memory for request and reply bodies, in bytes, used in parts of 16 MiB; taken from the system as it is ' +
        'used and given back after. Where it is used up, bodies take garbage-collected memory. 0 = none is pooled',
    ),
});

export const responseCache = z.strictObject({
  maxBytes: memoryBytes()
    .default(0)
    .describe(
      'Bytes that answers of models with `response_cache` may take together; those not used for longest go first. 0 = no answer is kept',
    ),
});

export const ensembles = z.strictObject({
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

export const cache = z.strictObject({
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

export const costs = z.strictObject({
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
