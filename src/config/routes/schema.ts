import { z } from 'zod';
import { DATA_TYPES, type DataType } from '../../core/index.js';
import { attributeSchema } from './attribute.js';
import { conditionSchema } from './condition.js';

const NAME = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9._-]{0,63}$/,
    'expected a letter, then at most 63 letters, digits, dots, dashes, underscores',
  )
  .refine((name) => !['default', 'named', 'fallback'].includes(name), 'default, named and fallback are taken');
const VERSION = z.int().min(1);
const TARGET = z.union([VERSION, NAME]);
const PERCENT = z
  .number()
  .min(0)
  .max(100)
  .refine((percent) => Math.abs(percent * 100 - Math.round(percent * 100)) < 1e-9, 'expected steps of 0.01');
const FLAG = NAME.optional().describe('it counts only while this flag is true');

const plainTensor = z.strictObject({
  name: z.string().min(1).max(256).describe('of the output'),
  datatype: z.enum(Object.keys(DATA_TYPES) as [DataType, ...DataType[]]),
  shape: z
    .array(
      z
        .int()
        .min(0)
        .max(2 ** 31),
    )
    .max(16)
    .describe('of one row, where the model has a batch axis'),
  data: z
    .array(z.union([z.number(), z.string(), z.boolean()]))
    .max(100_000)
    .describe('flat, row-major; 64-bit integers may be texts'),
});

/** `routes.yaml` and `routes.json` beside a model's config, and the documents that operators set. */
export const routesSchema = z.strictObject({
  labels: z.record(NAME, VERSION).default({}).describe('names of versions, to be used in their place'),
  flags: z.record(NAME, z.boolean()).default({}).describe('switches that can be set while the gateway serves'),
  default: TARGET.optional().describe(
    'version, label or split of requests that no rule takes; the highest version where absent',
  ),
  splits: z
    .record(
      NAME,
      z.strictObject({
        arms: z
          .array(
            z.strictObject({
              to: TARGET.describe('version or label'),
              percent: PERCENT.describe('part of the requests, in steps of 0.01; all sum to 100'),
            }),
          )
          .min(1)
          .max(64)
          .describe('versions and their parts; the first one has what the others leave'),
        key: attributeSchema
          .optional()
          .describe('what keeps a caller with its version; each request is drawn where absent'),
        salt: z
          .string()
          .max(256)
          .optional()
          .describe("splits of one salt and key assign alike; the split's name where absent"),
        flag: NAME.optional().describe('while this flag is false the first version has all'),
      }),
    )
    .default({})
    .describe('divisions among versions, by name'),
  rules: z
    .array(
      z.strictObject({
        name: NAME.describe('the route that answers name'),
        when: conditionSchema.describe('which requests it takes'),
        to: TARGET.describe('version, label or split'),
        flag: FLAG,
      }),
    )
    .max(256)
    .default([])
    .describe('the first one that takes a request decides'),
  shadows: z
    .array(
      z.strictObject({
        name: NAME,
        to: TARGET.describe('version or label that gets a copy'),
        percent: PERCENT.default(100).describe('of the requests that `when` takes'),
        when: conditionSchema.optional().describe('which requests; all where absent'),
        flag: FLAG,
      }),
    )
    .max(16)
    .default([])
    .describe('versions that get copies of requests, whose answers nobody waits for'),
  filters: z
    .array(
      z
        .strictObject({
          name: NAME.describe('the route that answers name'),
          when: conditionSchema.describe('which requests it takes, also of clients that name a version'),
          block: z.string().min(1).max(1000).optional().describe('they are refused (BLOCKED) with this message'),
          answer: z.array(plainTensor).min(1).max(64).optional().describe('they are answered with these outputs'),
          reroute: TARGET.optional().describe('they go to this version or label'),
          enabled: z.boolean().default(true).describe('operators switch it while the gateway serves'),
          flag: FLAG,
        })
        .refine(
          ({ block, answer, reroute }) =>
            [block, answer, reroute].filter((action) => action !== undefined).length === 1,
          'expected one of block, answer, reroute',
        ),
    )
    .max(256)
    .default([])
    .describe('before all else: the first one that takes a request acts'),
  fallback: z
    .strictObject({
      to: TARGET.describe('version or label that is tried in the second place'),
      on_error: z.boolean().default(true).describe("where the first version fails by the server's fault"),
      after_ms: z
        .number()
        .positive()
        .max(3_600_000)
        .optional()
        .describe('where it has not answered so long after the request came; the first answer counts'),
    })
    .optional()
    .describe('a second try, for requests that name no version'),
  ejection: z
    .strictObject({
      consecutive_failures: z.int().min(0).max(10_000).default(5).describe('failures in a row that eject; 0 = none do'),
      error_percent: z
        .number()
        .min(0)
        .max(100)
        .default(50)
        .describe('failures among the last `window` that eject; 0 = none do'),
      window: z.int().min(1).max(10_000).default(100).describe('outcomes looked at'),
      seconds: z
        .number()
        .positive()
        .max(86_400)
        .default(30)
        .describe('how long the first one lasts; each that follows soon twice as long'),
      max_seconds: z.number().positive().max(86_400).default(600),
    })
    .optional()
    .describe('takes a version that fails out of its splits for a while'),
});
