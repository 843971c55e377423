/** Who calls, and who matters when not all can be served. */
import { z } from 'zod';

const believed = () => z.enum(['off', 'header', 'parameter', 'any']);

export const tenants = z.strictObject({
  source: believed()
    .default('header')
    .describe(
      'Where the tenant of a request is believed to be named: a header (HTTP, upgrade of a WebSocket) or metadata key (gRPC), which a proxy can set; a request parameter; any of them, a header first; off',
    ),
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, 'expected lower-case letters, digits and dashes')
    .default('x-penstock-tenant')
    .describe('Name of that header, metadata key or parameter'),
  weights: z
    .record(z.string().min(1).max(64), z.number().min(0.01).max(1000))
    .refine((weights) => Object.keys(weights).length <= 512, 'expected at most 512 tenants')
    .default({})
    .describe('Tenants that are known, with their parts of the device time where several have requests waiting'),
  maxUnlisted: z
    .int()
    .min(0)
    .max(256)
    .default(0)
    .describe(
      'Most other tenants that have a part of their own (weight 1) at once, while they are used; those beyond share one. 0: all names that are not listed share one',
    ),
});

export const criticality = z.strictObject({
  source: believed()
    .default('any')
    .describe(
      'Where a request is believed to say how much it matters under overload: header or metadata key x-penstock-criticality, parameter of that name, any of them, a header first; off',
    ),
});
