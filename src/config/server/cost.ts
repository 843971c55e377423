import { z } from 'zod';
import { BILLING } from './billing.js';

const price = () => z.number().min(0).max(1e9);
const PRICES = ['market', 'amortised', 'spot'] as const;

const purchase = z.strictObject({
  price: price().describe('Paid for the device and what it needs'),
  years: z.number().min(0.01).max(100).describe('Over which it is written off'),
  utilisation: z
    .number()
    .min(0.001)
    .max(1)
    .default(1)
    .describe('Share of that time in which it is of use; the rest of the price is spread over it too'),
});

const device = z
  .strictObject({
    market: price().optional().describe('Price of an hour as one would rent it'),
    spot: price().optional().describe('Price of an hour that may be ended at any time'),
    amortised: price().optional().describe('Price of an hour of what was bought'),
    purchase: purchase.optional().describe('`amortised`, computed: price / (years x 8766 hours x utilisation)'),
    use: z
      .enum(PRICES)
      .optional()
      .describe('Which price counts; default: the first that is given of market, amortised, spot'),
  })
  .superRefine(({ use, market, spot, amortised, purchase: bought }, context) => {
    const given = { market, spot, amortised: amortised ?? bought };
    const fault = (message: string, path: string[] = []) =>
      context.addIssue({ code: 'custom', path, message, input: use });
    if (amortised !== undefined && bought !== undefined)
      fault('amortised and purchase both say what an hour costs; give one of them');
    if (PRICES.every((name) => given[name] === undefined)) fault(`expected a price: ${PRICES.join(', ')} or purchase`);
    else if (use !== undefined && given[use] === undefined)
      fault(`the price '${use}' is to be used, but there is none`, ['use']);
  });

/** What devices cost, and how that is shared. */
export const cost = z.strictObject({
  metering: z
    .boolean()
    .default(true)
    .describe('Measure the time of devices and keep the cost ledger; without, there are no costs to ask for'),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'expected three capital letters (ISO 4217), such as USD or EUR')
    .default('USD')
    .describe('Of all prices'),
  devices: z
    .record(z.string().regex(/^(cpu|cuda:(\d{1,3}|\*)|\*)$/, 'expected cpu, cuda:NUMBER, cuda:* or *'), device)
    .default({})
    .describe(
      'Prices by device: `cpu`, `cuda:0`, `cuda:*` or `*`; the one that says most counts. Devices named one by one cost from the start on, whether or not a model is there. Without a price amounts are 0',
    ),
  split: z
    .enum(['rows', 'elements', 'curve'])
    .default('rows')
    .describe(
      'How the time of an execution is shared by its requests: by rows; by the elements of their own, where lengths differ; by the learned cost of executions: its fixed part evenly, the rest by rows',
    ),
  idle: z
    .enum(['reserved', 'proportional', 'unallocated'])
    .default('reserved')
    .describe(
      'Who pays for idle time: the versions that are loaded, by the bytes of their files; those that were used, by their direct time; nobody',
    ),
  maxTenants: z
    .int()
    .min(0)
    .max(10_000)
    .default(100)
    .describe('Tenants that costs are told apart by, the first that come; the rest are (others)'),
  maxRoutes: z.int().min(0).max(250).default(50).describe('Routes, likewise'),
  ...BILLING,
});
