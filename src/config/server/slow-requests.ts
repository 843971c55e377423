import { z } from 'zod';

const times = () => z.number().min(0.1).max(1000).optional();

/** When a request is written to the log as a slow one: the least of the limits given counts; without any, none is. */
export const slowRequestsSchema = z.strictObject({
  overMs: z
    .number()
    .min(0)
    .max(2 ** 31 - 1)
    .optional()
    .describe('Log requests that take so many milliseconds or more, with where the time went'),
  timesSlo: times().describe("Or so many times the model's own aim (`slo_ms`), where it has one"),
  timesP99: times().describe('Or so many times the 99th percentile of what its version answered in the last seconds'),
  maxLinesPerMinute: z
    .int()
    .min(6)
    .max(120)
    .default(60)
    .describe('Most such lines, evenly over the minute; how many were left out is told'),
});
