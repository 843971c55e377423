/** Where it listens, and what its sockets are allowed. */
import { z } from 'zod';
import { corsSchema } from './cors.js';
import { address, bytes, count, durationMs, port } from './fields.js';
import { forwardPatternSchema } from './forward-pattern.js';
import { restrictedApisSchema } from './restricted-apis.js';
import { grpcTlsSchema, httpTlsSchema } from './tls.js';

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

export const http = z.strictObject({
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

export const grpc = z.strictObject({
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

export const ingress = z.strictObject({
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

export const metrics = z.strictObject({
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

export const admin = z.strictObject({
  address: address()
    .default('127.0.0.1')
    .describe('Address to listen on; for others than this machine put a proxy that ends TLS in front'),
  port: port()
    .optional()
    .describe(
      'Port of the admin API (routes, flags, filters, rollouts, costs, audit), 8003 by custom; default: it does not listen. Every call asks for a token',
    ),
});
