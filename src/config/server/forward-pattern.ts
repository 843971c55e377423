import { z } from 'zod';
import { forwardPattern } from '../../core/index.js';

/** `headerForwardPattern` of HTTP and of gRPC: a pattern as Triton has it; empty: no header is forwarded. */
export const forwardPatternSchema = z
  .string()
  .max(1000)
  .default('')
  .superRefine((text, context) => {
    try {
      forwardPattern(text);
    } catch (thrown) {
      context.addIssue({ code: 'custom', message: (thrown as Error).message, input: text });
    }
  });
