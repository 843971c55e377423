import { z } from 'zod';

const bytes = () =>
  z
    .int()
    .min(1)
    .max(2 ** 40);
const seconds = () =>
  z
    .int()
    .min(1)
    .max(10 * 366 * 86_400);
const percent = () => z.number().min(0).max(100);
const names = () => z.array(z.string().min(1).max(256)).max(256).default([]);
const headers = () =>
  z
    .array(z.string().regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/, 'expected the name of a header in lower case'))
    .max(64)
    .default([]);
const sinkName = () =>
  z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected letters, digits, dots, dashes, underscores')
    .describe('As metrics and log name it');
const file = () => z.string().min(1).optional();
const queue = () =>
  bytes()
    .default(32 * 1024 * 1024)
    .describe('Most bytes of rows that wait for it; what comes beyond is dropped');
const timeoutMs = () => z.int().min(10).max(600_000).default(5000).describe('Of one try, in milliseconds');
const retries = () => z.int().min(0).max(20).default(5).describe('Tries after the first, with growing waits');

const rule = z.strictObject({
  model: z
    .string()
    .min(1)
    .max(255)
    .describe('Models by name; `*` in it stands for any characters. The first rule that fits counts'),
  percent: percent().default(100).describe('Percent of the requests that is logged'),
  errorPercent: percent().default(0).describe('Percent of those that fail, where that is more'),
  request: z.boolean().default(true).describe('Log inputs and parameters'),
  answer: z.boolean().default(true).describe('Log outputs'),
  headers: headers().describe('Headers or metadata keys that are logged, in lower case; no others are looked at'),
  redact: z
    .strictObject({
      dropInputs: names().describe('Inputs whose bytes are not kept'),
      hashInputs: names().describe('Inputs of which a hash is kept, with a key of this run of the process'),
      dropOutputs: names().describe('Outputs whose bytes are not kept'),
      maskParameters: names().describe('Request parameters whose values are not kept'),
      maskHeaders: headers().describe('Headers whose values are not kept'),
      hashHeaders: headers().describe('Headers of which a hash is kept'),
    })
    .prefault({})
    .describe('What is left out'),
  maxRowBytes: bytes()
    .default(1024 * 1024)
    .describe('Of larger requests and answers together all is logged but the elements of tensors'),
});

const parquet = z.strictObject({
  name: sinkName(),
  folder: z.string().min(1).describe('Folder of the files; one for each gateway, or one for several of the same'),
  fileBytes: bytes()
    .default(16 * 1024 * 1024)
    .describe('A file is written when it has so many bytes, before compression,'),
  fileSecs: seconds().default(60).describe('or its first row is so old, in seconds'),
  maxBytes: bytes()
    .default(1024 ** 3)
    .describe('Most bytes of such files in the folder; the oldest go'),
  maxFiles: z.int().min(1).max(1_000_000).default(10_000).describe('Most such files'),
  keepSecs: seconds()
    .default(30 * 86_400)
    .describe('Older files go, when another is written; in seconds'),
  maxQueueBytes: bytes()
    .default(64 * 1024 * 1024)
    .describe('Most bytes of rows that are gathered or being written; what comes beyond is dropped'),
});

const events = {
  source: z.string().min(1).max(1024).default('/penstock').describe('`source` of the CloudEvents'),
  namespace: z.string().max(253).default('').describe('Their extension `namespace`'),
};

const http = z.strictObject({
  name: sinkName(),
  url: z.url({ protocol: /^https?$/ }).describe('Gets POSTs of CloudEvents as the logger of KServe makes them'),
  mode: z
    .enum(['binary', 'structured', 'batched'])
    .default('binary')
    .describe('One event a call, its attributes in headers; one as JSON; or those of many rows as a JSON array'),
  ...events,
  tokenFile: file().describe('File with a token that is sent as `authorization: Bearer`'),
  timeoutMs: timeoutMs(),
  retries: retries(),
  maxInFlight: z.int().min(1).max(256).default(4).describe('Most calls at once'),
  batchRows: z.int().min(1).max(10_000).default(100).describe('Most rows of a call in mode batched'),
  maxQueueBytes: queue(),
});

const kafka = z.strictObject({
  name: sinkName(),
  brokers: z
    .array(z.string().regex(/^.+:\d{1,5}$/, 'expected HOST:PORT'))
    .min(1)
    .max(64)
    .describe('HOST:PORT of brokers'),
  topic: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,249}$/, 'expected the name of a topic')
    .describe('Must exist'),
  clientId: z.string().min(1).max(255).default('penstock').describe('As brokers see it'),
  mode: z.enum(['binary', 'structured']).default('binary').describe('Attributes of events in headers, or all as JSON'),
  ...events,
  acks: z.enum(['all', 'leader', 'none']).default('all').describe('Replicas that have to have it'),
  compression: z.enum(['none', 'gzip']).default('none').describe('Of batches'),
  tls: z
    .strictObject({
      caFile: file().describe('Certificates that are trusted (PEM); default: those of the system'),
      certFile: file().describe('Certificate of the gateway (PEM)'),
      keyFile: file().describe('Its key (PEM)'),
    })
    .optional()
    .describe('Connect by TLS'),
  sasl: z
    .strictObject({
      mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('How it says who it is'),
      username: z.string().min(1).max(255).describe('Name'),
      passwordFile: z.string().min(1).describe('File with the password'),
    })
    .optional()
    .describe('Say who it is'),
  timeoutMs: timeoutMs(),
  retries: retries(),
  batchRows: z.int().min(1).max(10_000).default(200).describe('Most rows of a batch'),
  maxQueueBytes: queue(),
});

/** Requests and answers that are logged all the time, to any number of places. */
export const payloadLogSchema = z
  .strictObject({
    models: z.array(rule).max(256).default([]).describe('What is logged of which models'),
    tenant: z
      .enum(['keep', 'hash', 'drop'])
      .default('hash')
      .describe("What is kept of the tenant's name: all, a hash with a key of this run of the process, nothing"),
    maxBytesPerSecond: bytes()
      .default(16 * 1024 * 1024)
      .describe('Most bytes logged in a second; what comes beyond is not'),
    maxPendingBytes: bytes()
      .default(16 * 1024 * 1024)
      .describe('Most bytes on their way to the thread that writes; what comes beyond is not logged'),
    closeSecs: z
      .int()
      .min(0)
      .max(600)
      .default(10)
      .describe('Time to deliver what waits when the gateway ends, in seconds; what is left then is dropped'),
    parquet: z.array(parquet).max(8).default([]).describe('Folders of Parquet files'),
    http: z.array(http).max(8).default([]).describe('Receivers of CloudEvents over HTTP'),
    kafka: z.array(kafka).max(8).default([]).describe('Topics of Kafka'),
  })
  .superRefine(({ parquet: folders, http: receivers, kafka: topics }, context) => {
    const seen = new Set<string>();
    for (const [kind, sinks] of Object.entries({ parquet: folders, http: receivers, kafka: topics }))
      for (const [i, { name }] of sinks.entries()) {
        if (seen.has(name))
          context.addIssue({
            code: 'custom',
            path: [kind, i, 'name'],
            message: `two sinks are named '${name}'`,
            input: name,
          });
        seen.add(name);
      }
  });

/** Keys below it whose values are paths. */
export const PAYLOAD_LOG_PATHS = ['folder', 'tokenFile', 'caFile', 'certFile', 'keyFile', 'passwordFile'];
