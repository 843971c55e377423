/** What is written down of what happens. */
import { z } from 'zod';
import { bytes, durationMs } from './fields.js';

/** Of `log.format`. */
export const LOG_FORMATS = ['default', 'ISO8601', 'json'] as const;

export const log = z.strictObject({
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

const names = () => z.array(z.string().min(1).max(256)).max(256).default([]);

export const capture = z.strictObject({
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

export const tracing = z.strictObject({
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

export const accessLog = z.strictObject({
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
