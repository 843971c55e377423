import { z } from 'zod';
import type { RouteCondition } from '../../core/index.js';
import { attributeSchema } from './attribute.js';

const VALUE = z.union([z.string().max(4096), z.number(), z.boolean()]);

const fields = z.strictObject({
  get all() {
    return z.array(conditionSchema).min(1).max(64).optional().describe('every one of these holds');
  },
  get any() {
    return z.array(conditionSchema).min(1).max(64).optional().describe('one of these holds');
  },
  get not(): z.ZodOptional<z.ZodType<RouteCondition, unknown>> {
    return conditionSchema.optional().describe('this does not hold');
  },
  of: attributeSchema.optional().describe('what the comparisons look at'),
  equals: VALUE.optional().describe('it is this value'),
  in: z.array(VALUE).min(1).max(10_000).optional().describe('it is one of these values'),
  prefix: z.string().min(1).max(4096).optional().describe('its text begins so'),
  below: z.number().optional().describe('it is a number below this one'),
  above: z.number().optional().describe('it is a number above this one'),
  exists: z.boolean().optional().describe('the request has it, or has it not'),
});

/** What a request has to be like; the core's `RouteCondition`. */
export const conditionSchema: z.ZodType<RouteCondition, unknown> = fields.superRefine((given, context) => {
  const { of: attribute, ...others } = given;
  const forms = (['all', 'any', 'not'] as const).filter((form) => given[form] !== undefined);
  const comparisons = Object.keys(others).filter((key) => !['all', 'any', 'not'].includes(key));
  const refuse = (message: string) => context.addIssue({ code: 'custom', message });
  if (forms.length > 1) refuse(`one of ${forms.join(', ')} at a time; nest them`);
  else if (forms.length === 1 && (attribute !== undefined || comparisons.length > 0))
    refuse(`'${forms[0]}' stands alone; nest what stands beside it`);
  else if (forms.length === 0 && attribute === undefined) refuse(`expected 'of', or one of all, any, not`);
  else if (forms.length === 0 && comparisons.length === 0)
    refuse('expected a comparison: equals, in, prefix, below, above, exists');
  else if (given.exists === false && comparisons.length > 1) refuse(`what does not exist cannot be compared`);
}) as unknown as z.ZodType<RouteCondition, unknown>;
