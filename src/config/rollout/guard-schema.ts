import { z } from 'zod';

const above = (least: number, most: number) => z.number().gt(least).max(most);

const METRICS = [
  'error-rate',
  'latency',
  'cost',
  'output-drift',
  'shadow-agreement',
  'shadow-distance',
  'quality',
  'kpi',
] as const;

const written = z.strictObject({
  metric: z.enum(METRICS).describe('What is watched'),
  name: z.string().min(1).max(100).optional().describe('Default: the metric, and what of it'),
  weight: above(0, 1000).default(1).describe("Its part of the plan's alpha, beside the other guards'"),
  minObservations: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .default(100)
    .describe("None passes on fewer observations of the candidate's own"),
  maxRatio: above(1, 1000)
    .optional()
    .describe(
      '`error-rate`, `latency`, `quality`, `cost`: passes where proven below so many times the baseline; default 2, cost 1.1',
    ),
  maxDifference: above(0, 1)
    .optional()
    .describe(
      '`error-rate`, `latency`, `quality`: or proven to be less than this above it; default 0.005, latency 0.02, quality 0.02',
    ),
  quantile: z
    .union([z.literal(0.5), z.literal(0.9), z.literal(0.99)])
    .optional()
    .describe("`latency`: the baseline's quantile that counts as slow; default 0.99"),
  harmRatio: z
    .number()
    .min(1)
    .max(1000)
    .optional()
    .describe(
      '`latency`: stops only where slow executions are proven more than so many times as likely (odds); a small share makes other batches, so equal code differs a little; default 1.25',
    ),
  maxTotalVariation: above(0, 1).optional().describe('`output-drift`: between the answers of the arms; default 0.1'),
  of: z
    .enum(['all', 'top', 'rank-correlation', 'total-variation'])
    .optional()
    .describe(
      '`shadow-agreement`: all elements within tolerance, or the top index (default); `shadow-distance`: which one (required)',
    ),
  min: above(0, 1).optional().describe('`shadow-agreement`: least share of copies that agree; default 0.95'),
  limit: z
    .number()
    .min(-1)
    .max(1)
    .optional()
    .describe('`shadow-distance`: rank correlation at least (default 0.9), total variation at most (default 0.1)'),
  feedback: z.string().min(1).max(100).optional().describe('`quality`, `kpi`: name of the metric as it is posted'),
  better: z.enum(['higher', 'lower']).optional().describe('`kpi`: which direction is better; default higher'),
  maxLoss: above(0, Number.MAX_VALUE).optional().describe('`kpi`: passes where it is proven to lose less, in its unit'),
  range: z.tuple([z.number(), z.number()]).optional().describe('`kpi`: what values lie within'),
});

type Written = z.output<typeof written>;
type Field = Exclude<keyof Written, 'metric' | 'name' | 'weight' | 'minObservations'>;
type Metric = (typeof METRICS)[number];

/** Fields of each metric; those marked `true` have no default. */
const FIELDS: Readonly<Record<Metric, Readonly<Partial<Record<Field, boolean>>>>> = {
  'error-rate': { maxRatio: false, maxDifference: false },
  latency: { maxRatio: false, maxDifference: false, quantile: false, harmRatio: false },
  cost: { maxRatio: false },
  'output-drift': { maxTotalVariation: false },
  'shadow-agreement': { of: false, min: false },
  'shadow-distance': { of: true, limit: false },
  quality: { maxRatio: false, maxDifference: false, feedback: true },
  kpi: { feedback: true, better: false, maxLoss: true, range: true },
};

/** A guard with the fields of its metric. */
export const guard = written.transform((value, context) => {
  const fault = faultOf(value);
  if (fault === undefined) return specOf(value);
  context.addIssue({ code: 'custom', path: [fault.field], message: fault.message, input: value });
  return z.NEVER;
});

function faultOf(value: Written): { field: Field; message: string } | undefined {
  const fields = FIELDS[value.metric];
  const common = ['metric', 'name', 'weight', 'minObservations'];
  for (const field of Object.keys(value) as Field[])
    if (value[field] !== undefined && !common.includes(field) && !(field in fields))
      return {
        field,
        message: `a guard of '${value.metric}' takes no '${field}'; it takes ${Object.keys(fields).join(', ')}`,
      };
  for (const [field, required] of Object.entries(fields) as [Field, boolean][])
    if (required && value[field] === undefined)
      return { field, message: `a guard of '${value.metric}' needs '${field}'` };
  const forAgreement = value.of === 'all' || value.of === 'top';
  if (value.of !== undefined && forAgreement !== (value.metric === 'shadow-agreement'))
    return {
      field: 'of',
      message: `expected ${forAgreement ? 'rank-correlation or total-variation' : 'all or top'}, got '${value.of}'`,
    };
  if (value.range !== undefined && value.range[0] >= value.range[1])
    return { field: 'range', message: 'the first number is below the second' };
  return undefined;
}

function specOf(value: Written) {
  const { metric, weight, minObservations, maxRatio = 2 } = value;
  const common = (name: string) => ({ name: value.name ?? name, weight, minObservations });
  switch (metric) {
    case 'error-rate':
      return { metric, ...common('error-rate'), maxRatio, maxDifference: value.maxDifference ?? 0.005 };
    case 'latency': {
      const { quantile = 0.99 } = value;
      return {
        metric,
        ...common(`latency-p${quantile * 100}`),
        quantile,
        maxRatio,
        maxDifference: value.maxDifference ?? 0.02,
        harmRatio: value.harmRatio ?? 1.25,
      };
    }
    case 'cost':
      return { metric, ...common('cost'), maxRatio: value.maxRatio ?? 1.1 };
    case 'output-drift':
      return { metric, ...common('output-drift'), maxTotalVariation: value.maxTotalVariation ?? 0.1 };
    case 'shadow-agreement': {
      const of = value.of === 'all' ? ('all' as const) : ('top' as const);
      return { metric, ...common(`shadow-agreement-${of}`), of, min: value.min ?? 0.95 };
    }
    case 'shadow-distance': {
      const of = value.of === 'rank-correlation' ? ('rank-correlation' as const) : ('total-variation' as const);
      return { metric, ...common(of), of, limit: value.limit ?? (of === 'rank-correlation' ? 0.9 : 0.1) };
    }
    case 'quality': {
      const { feedback = '', maxDifference = 0.02 } = value;
      return { metric, ...common(`quality-${feedback}`), feedback, maxRatio, maxDifference };
    }
    case 'kpi': {
      const { feedback = '', better = 'higher' as const, maxLoss = 0, range = [0, 0] as [number, number] } = value;
      return { metric, ...common(`kpi-${feedback}`), feedback, better, maxLoss, range };
    }
  }
}
