import { z } from 'zod';

const money = () => z.number().min(0).max(1e12);

const budget = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected letters, digits, dots, dashes, underscores')
      .describe('As log, metrics and notices name it'),
    tenant: z.string().min(1).max(64).optional().describe('Whose requests it is for; or'),
    model: z.string().min(1).max(255).optional().describe('which model'),
    amount: money()
      .refine((amount) => amount > 0, 'expected more than 0')
      .describe('What may be spent, in `cost.currency`'),
    per: z.enum(['day', 'month']).default('month').describe('Of UTC; it begins anew with each'),
    alertAt: z
      .array(z.number().gt(0).max(10))
      .max(16)
      .default([0.5, 0.8, 1])
      .describe('Parts of the amount at which the log and webhooks say so, each once in a period'),
    action: z
      .enum(['alert', 'refuse'])
      .default('alert')
      .describe('What follows when it is used up. refuse: QUOTA_EXCEEDED (429) until it begins anew'),
    notify: z.array(z.string()).max(16).optional().describe('Webhooks that are told; default: all of them'),
  })
  .refine(
    ({ tenant, model }) => (tenant === undefined) !== (model === undefined),
    'a budget is of a tenant or of a model: give one of them',
  );

const budgets = z
  .array(budget)
  .max(1000)
  .default([])
  .superRefine((all, context) => {
    const names = all.map(({ name }) => name);
    for (const [i, name] of names.entries())
      if (names.indexOf(name) < i)
        context.addIssue({
          code: 'custom',
          path: [i, 'name'],
          message: `two budgets are named '${name}'`,
          input: name,
        });
  })
  .describe(
    'What may be spent. Of a tenant: its direct time. Of a model: that and its waste, but not idle time, and not what a rollout tries (canary, shadow)',
  );

const intensity = () => z.number().min(0).max(10_000);

const carbon = z.strictObject({
  gramsPerKwh: z
    .union([intensity(), z.array(intensity()).length(24)])
    .optional()
    .describe(
      'Grams of CO2 of a kWh of the grid: one number, or 24, of each hour of the day (UTC). Default: carbon is not told',
    ),
  pue: z
    .number()
    .min(1)
    .max(10)
    .default(1)
    .describe(
      'Power of the whole site to that of its machines (power usage effectiveness); carbon is multiplied by it',
    ),
});

const rollups = z.strictObject({
  everySecs: z
    .int()
    .min(1)
    .max(3600)
    .default(60)
    .describe('How often costs are written to the state, in seconds: so much is lost where the process is killed'),
  keepHours: z
    .int()
    .min(48)
    .max(24 * 366)
    .default(35 * 24)
    .describe('How many hours are kept apart; older ones become parts of their days'),
  keepDays: z.int().min(2).max(3660).default(800).describe('How many days are kept'),
  linesPerHour: z
    .int()
    .min(10)
    .max(100_000)
    .default(1000)
    .describe(
      'Combinations of device, model, version, tenant, route and kind that are kept apart in one hour, or day; those beyond are added up as (others)',
    ),
});

/** What is done with what the ledger counts: part of `cost`. */
export const BILLING = {
  budgets,
  carbon: carbon.prefault({}).describe('Carbon of the energy that devices use, where they have a counter of it'),
  rollups: rollups.prefault({}).describe('Sums of hours and days in the state'),
};
