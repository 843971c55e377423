import { z } from 'zod';
import { ServingError } from '../../core/index.js';
import { readDocument } from '../document.js';
import { faultsOf, pathText } from '../issues.js';

const share = () => z.number().min(0).max(1);
const positive = () => z.number().positive().max(1e9);

/** What a golden set is judged by: in `gates.yaml` of a model, and in the section `gates` of a rollout's plan. */
export const goldenLimitsSchema = z.strictObject({
  minRight: share().default(1).describe('Least share of cases that are right'),
  maxRightLoss: share().optional().describe('The share may be so much below that of the version that serves'),
  maxLatencyMs: positive()
    .optional()
    .describe('Most milliseconds of the slowest case, each by the median of its runs, past the queue'),
  maxLatencyRatio: positive().optional().describe('Mean time of a case, in times of the version that serves'),
  maxDeviceMs: positive().optional().describe('Most milliseconds that the model itself takes, mean over the cases'),
  maxDeviceRatio: positive().optional().describe('The same, in times of the version that serves'),
});

/** `gates.yaml` beside a model's version folders. */
export const modelGatesSchema = z.strictObject({
  golden: z
    .strictObject({
      folder: z
        .string()
        .min(1)
        .default('golden')
        .describe("Folder of the cases, in the model's folder; VERSION in it is the version's number"),
      runs: z.int().min(1).max(1000).default(3).describe('Runs of each case; its time is their median'),
      maxSeconds: positive().default(300).describe('The whole set takes at most so long, else the version is refused'),
      tolerance: z
        .strictObject({
          absolute: z.number().min(0).default(1e-5).describe('Floats are right where they differ by at most this'),
          relative: z.number().min(0).default(1e-3).describe('and this part of the expected value'),
        })
        .prefault({})
        .describe('Of cases that name none'),
      limits: goldenLimitsSchema.prefault({}).describe('What the cases are judged by'),
    })
    .prefault({})
    .describe('The golden set'),
});

/** A model's own gates, complete. */
export type ModelGates = z.output<typeof modelGatesSchema>;

/** The gates of a model without a word of its own. */
export function defaultModelGates(): ModelGates {
  return modelGatesSchema.parse({});
}

/** Reads `gates.yaml` (or JSON). `path` is for messages. Throws MODEL_INVALID with the line at fault. */
export function parseModelGates(text: string, path: string): ModelGates {
  const { value, fault, lineOf } = readDocument(text);
  if (fault !== undefined) throw new ServingError('MODEL_INVALID', `${path}:${fault.line}: ${fault.message}`);
  const parsed = modelGatesSchema.safeParse(value ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  const faults = faultsOf(modelGatesSchema, parsed.error).map(({ path: at, message }) => {
    const where = pathText(at);
    const line = lineOf(at);
    return `${path}${line === undefined ? '' : `:${line}`}: ${where === '' ? '' : `${where}: `}${message}`;
  });
  throw new ServingError('MODEL_INVALID', faults.join('; '));
}
