import { z } from 'zod';
import { TIMELINE_LEVELS } from '../../core/index.js';

/** Triton's traces: its `--trace-config` with the mode `triton`. */
export const timelinesSchema = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .optional()
      .describe("File of timelines of requests, in the JSON of Triton's traces; default: none can be made"),
    level: z
      .array(z.enum(TIMELINE_LEVELS))
      .default([])
      .describe('What is in them at the start: when requests were where, and their tensors; none = off'),
    rate: z
      .int()
      .min(1)
      .max(2 ** 32 - 1)
      .default(1000)
      .describe('Of one in so many requests'),
    count: z
      .int()
      .min(-1)
      .max(2 ** 31 - 1)
      .default(-1)
      .describe('Of so many requests at most; -1 = without an end'),
    logFrequency: z
      .int()
      .min(0)
      .max(2 ** 32 - 1)
      .default(0)
      .describe('A file of its own, with a number behind its name, for each so many; 0 = one file'),
  })
  .refine(({ file, level }) => file !== undefined || level.length === 0, 'level is given, and no file');
