import { z } from 'zod';
import { attributeSchema } from './attribute.js';
import { conditionSchema } from './condition.js';

const NAME = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9._-]{0,63}$/,
    'expected a letter, then at most 63 letters, digits, dots, dashes, underscores',
  )
  .refine((name) => name !== 'default' && name !== 'named', 'default and named are taken');
const VERSION = z.int().min(1);
const TARGET = z.union([VERSION, NAME]);
const PERCENT = z
  .number()
  .min(0)
  .max(100)
  .refine((percent) => Math.abs(percent * 100 - Math.round(percent * 100)) < 1e-9, 'expected steps of 0.01');
const FLAG = NAME.optional().describe('it counts only while this flag is true');

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
});
