import { z } from 'zod';
import { SLO_OBJECTIVES } from '../../core/index.js';
import { sloFaults } from './checks.js';

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;

/** What SLOs of the server and of a model have in common. */
const fields = {
  name: z
    .string()
    .regex(NAME, 'expected lower-case letters, digits, dots, dashes, underscores; at most 63')
    .describe('Its label in metrics and alerts; of one beside a model MODEL/NAME'),
  description: z.string().max(1024).default('').describe('For alerts and people'),
  version: z.int().min(1).optional().describe('Only requests of this version'),
  route: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe('Only requests by this route (availability, and latency under a bound of its histogram)'),
  objective: z.enum(SLO_OBJECTIVES).describe('What has to be good; see src/insight/slo/SLO.md'),
  underMs: z
    .number()
    .gt(0)
    .max(3_600_000)
    .optional()
    .describe('latency: a good answer takes at most so many milliseconds'),
  metric: z.string().min(1).max(256).optional().describe('quality: metric of the feedback; default quality'),
  atLeast: z
    .number()
    .optional()
    .describe('quality: a good value of the metric is at least this; default: a good prediction is right'),
  costPerRequest: z
    .number()
    .gt(0)
    .optional()
    .describe("cost: a good minute costs at most so much a request, in the ledger's currency"),
  ageOf: z
    .enum(['version', 'answer'])
    .optional()
    .describe('freshness: of the files of the version that serves (default), or of the last answer'),
  maxAgeHours: z.number().gt(0).max(87_600).optional().describe('freshness: a good minute finds it at most so old'),
  targetPercent: z.number().gt(0).lt(100).describe('So many percent have to be good, e.g. 99.9'),
  windowDays: z.int().min(3).max(90).default(30).describe('Over so many days, rolling'),
  minEvents: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(10)
    .describe('No alert where its long window has fewer events: one failure of two requests wakes nobody'),
  labels: z
    .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/, 'expected the name of a label'), z.string().max(256))
    .refine((labels) => Object.keys(labels).length <= 16, 'expected at most 16 labels')
    .default({})
    .describe('Further labels of its alerts, e.g. the team'),
  runbook: z.string().max(4096).default('').describe('For who is woken: an address, or what to do'),
  notify: z.array(z.string().min(1)).max(16).optional().describe('Names of webhooks of the server; default: all'),
};

/** An SLO of `penstock.yaml`. */
export const serverSloSchema = z
  .strictObject({
    ...fields,
    model: z.string().min(1).max(255).optional().describe('Only requests for this model; default: all'),
  })
  .superRefine((slo, context) => {
    for (const { path, message } of sloFaults(slo))
      context.addIssue({ code: 'custom', path: [...path], message, input: slo });
  });

/** `slo.yaml` beside a model's version folders. */
export const modelSlosSchema = z.strictObject({
  slos: z
    .array(
      z.strictObject(fields).superRefine((slo, context) => {
        for (const { path, message } of sloFaults(slo))
          context.addIssue({ code: 'custom', path: [...path], message, input: slo });
      }),
    )
    .min(1)
    .max(32)
    .superRefine(refuseTwice)
    .describe('What is promised of the model'),
});

/** The SLOs of `penstock.yaml`. */
export const serverSlosSchema = z
  .array(serverSloSchema)
  .max(256)
  .default([])
  .superRefine(refuseTwice)
  .describe('What is promised of requests: error budgets, burn rates and alerts');

export type WrittenSlo = z.output<typeof serverSloSchema>;

function refuseTwice(slos: readonly { readonly name: string }[], context: z.RefinementCtx): void {
  const names = slos.map(({ name }) => name);
  for (const [i, name] of names.entries())
    if (names.indexOf(name) < i)
      context.addIssue({ code: 'custom', path: [i, 'name'], message: `two SLOs are named '${name}'`, input: name });
}
