import { z } from 'zod';

const NAME = z.string().min(1).max(256);
const HEADER = NAME.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'expected the name of a header').transform((name) =>
  name.toLowerCase(),
);

/** One value of a request, as routes name it; the core's `RequestAttribute`. */
export const attributeSchema = z
  .discriminatedUnion('from', [
    z.strictObject({ from: z.literal('header'), name: HEADER }),
    z.strictObject({ from: z.literal('cookie'), name: NAME }),
    z.strictObject({ from: z.literal('parameter'), name: NAME }),
    z.strictObject({
      from: z.literal('json'),
      input: NAME,
      path: z.array(z.union([z.string(), z.int().min(0)])).max(16),
    }),
    z.strictObject({ from: z.literal('input'), name: NAME, index: z.int().min(0).default(0) }),
    z.strictObject({ from: z.literal('client') }),
    z.strictObject({ from: z.literal('tenant') }),
    z.strictObject({ from: z.literal('request-id') }),
  ])
  .describe(
    'a header, cookie, parameter, json (path in a BYTES input), input (an element), client, tenant or request-id',
  );
