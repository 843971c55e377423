/** Kinds of values that several sections have. */
import { z } from 'zod';

export const port = () => z.int().min(0).max(65535);

export const address = () => z.string().min(1);

export const bytes = () =>
  z
    .int()
    .min(1)
    .max(2 ** 32);

/** 0 = none. */
export const memoryBytes = () =>
  z
    .int()
    .min(0)
    .max(2 ** 36);

export const durationMs = () =>
  z
    .int()
    .min(0)
    .max(2 ** 31 - 1);

export const count = () => z.int().min(1).max(10_000_000);
