import { z } from 'zod';
import { goldenLimitsSchema } from '../gates/gates.js';
import { attributeSchema } from '../routes/attribute.js';
import { guard } from './guard-schema.js';
import { step } from './step-schema.js';

const seconds = () => z.number().min(0).max(31_536_000);

/** A rollout plan as people write it; what is absent gets its default here. Checks between fields: `planFaults`. */
export const rolloutPlanSchema = z.strictObject({
  model: z.string().min(1).optional().describe('Name of the model; beside a model it may be left out'),
  candidate: z
    .union([z.literal('latest'), z.int().min(1)])
    .default('latest')
    .describe('The new version; `latest` is the highest that is ready'),
  baseline: z
    .union([z.literal('serving'), z.int().min(1)])
    .default('serving')
    .describe(
      'The version to compare with and to go back to; `serving` is the one that serves requests that name none, or the highest below the candidate where that is the candidate itself',
    ),
  start: z
    .enum(['now', 'on-new-version'])
    .default('now')
    .describe('Beside a model: `on-new-version` starts the plan when a version appears, which gets no traffic before'),
  salt: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe('Rollouts of one salt and key assign callers alike; default: the id of the rollout'),
  key: attributeSchema.optional().describe('What keeps a caller on its side; default: every request is drawn anew'),
  steps: z.array(step).min(1).max(50).describe('Passed through in their order'),
  gates: z
    .strictObject({
      golden: goldenLimitsSchema
        .optional()
        .describe("Limits of the golden set, in the place of those of the model's `gates.yaml`"),
    })
    .prefault({})
    .describe('What the candidate has to show before the first step; see src/gates/README.md'),
  guards: z.array(guard).min(1).max(32).describe('All of them have to pass before the candidate takes over'),
  alpha: z
    .number()
    .gt(0)
    .max(0.5)
    .default(0.01)
    .describe('Chance to stop a candidate that is not worse and, apart, to pass one that is too bad, over all guards'),
  hardLimits: z
    .strictObject({
      errorRate: z
        .number()
        .gt(0)
        .max(1)
        .default(0.5)
        .describe('The candidate is stopped at once where more than this share of its requests fail'),
      requests: z.int().min(1).max(1_000_000).default(50).describe('of the last so many of its requests'),
      seconds: seconds().default(60).describe('at most so many seconds ago'),
      notFinite: z
        .int()
        .min(1)
        .max(1_000_000_000)
        .default(1)
        .describe('and after so many answers with NaN or infinity'),
    })
    .prefault({})
    .describe('What needs no statistics'),
  calibration: z
    .strictObject({
      executions: z
        .int()
        .min(100)
        .max(100_000)
        .default(500)
        .describe('Executions of the baseline that its latency quantiles are taken from before the first step'),
    })
    .prefault({})
    .describe('What the baseline is like'),
  coldStartExecutions: z
    .int()
    .min(0)
    .max(100_000)
    .default(20)
    .describe('First executions of the candidate whose times are not looked at'),
  timeLimits: z
    .strictObject({
      stepSeconds: seconds().min(1).default(86_400).describe('Longest time in one step'),
      totalSeconds: seconds().min(1).default(604_800).describe('Longest time of the rollout'),
    })
    .prefault({})
    .describe('After which there is no proof to be expected'),
  inconclusive: z.enum(['hold', 'rollback']).default('hold').describe('What follows where a time limit passes'),
  after: z
    .enum(['promote', 'hold'])
    .default('promote')
    .describe('What follows after the last step: the candidate takes over, or a person has to say so'),
  keepShadowing: z
    .strictObject({
      percent: z.number().gt(0).max(100).describe("Of the baseline's requests"),
      seconds: seconds().min(1).max(86_400).default(300).describe('For so long'),
    })
    .optional()
    .describe('After a rollback: go on with copies, for diagnosis'),
  notify: z.array(z.string().min(1)).max(16).optional().describe('Names of webhooks of the server; default: all'),
});

export type WrittenPlan = z.output<typeof rolloutPlanSchema>;
