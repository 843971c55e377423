import { z } from 'zod';

const percent = () =>
  z
    .number()
    .min(0)
    .max(100)
    .refine((value) => Number.isInteger(Number((value * 100).toFixed(6))), 'a share has steps of 0.01 percent');

const written = z.strictObject({
  shadow: percent()
    .optional()
    .describe("Percent of the baseline's requests that are copied to the candidate, whose answers nobody gets"),
  canary: percent().optional().describe('Percent of the requests that the candidate answers'),
  approval: z
    .string()
    .min(1)
    .optional()
    .describe('Who has to approve the steps after it: name of a token, or `anyone`'),
  requests: z.int().min(1).max(1_000_000_000).optional().describe('`shadow`: copies to compare; default 500'),
  minSeconds: z.number().min(0).max(31_536_000).optional().describe('Shortest time in the step; default 0'),
  minRequests: z
    .int()
    .min(0)
    .max(1_000_000_000)
    .optional()
    .describe("`canary`: fewest requests of the candidate's own; default 100"),
  requires: z
    .union([z.enum(['all', 'none']), z.array(z.string().min(1)).min(1)])
    .optional()
    .describe('Guards that have to pass before the step is left; after the last step it is always all of them'),
});

type Written = z.output<typeof written>;
type Field = keyof Written;

/** Fields that each kind of step takes beside its own. */
const TAKES: Readonly<Record<'shadow' | 'canary' | 'approval', readonly Field[]>> = {
  shadow: ['requests', 'minSeconds', 'requires'],
  canary: ['shadow', 'minSeconds', 'minRequests', 'requires'],
  approval: [],
};

/** A step by its one kind: `canary` with copies beside is a canary. */
export const step = written.transform((value, context) => {
  const kind = value.approval !== undefined ? 'approval' : value.canary !== undefined ? 'canary' : 'shadow';
  if (value[kind] === undefined) {
    context.addIssue({ code: 'custom', message: 'expected one of shadow, canary, approval', input: value });
    return z.NEVER;
  }
  const strange = (Object.keys(value) as Field[]).find(
    (field) => value[field] !== undefined && field !== kind && !TAKES[kind].includes(field),
  );
  if (strange !== undefined) {
    const message = `a step with '${kind}' takes no '${strange}'`;
    context.addIssue({ code: 'custom', path: [strange], message, input: value[strange] });
    return z.NEVER;
  }
  if (value.approval !== undefined) return { kind: 'approval' as const, who: value.approval };
  const { shadow = 0, minSeconds = 0, requires } = value;
  if (value.canary !== undefined) {
    const { canary: canaryPercent, minRequests = 100 } = value;
    return { kind: 'canary' as const, canaryPercent, shadowPercent: shadow, minSeconds, minRequests, requires };
  }
  return { kind: 'shadow' as const, shadowPercent: shadow, requests: value.requests ?? 500, minSeconds, requires };
});
