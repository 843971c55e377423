import { z } from 'zod';
import { DATA_TYPES } from '../../core/index.js';

/** A field that proto3 JSON may write as a number or as text (64-bit integers): always a number after parsing. */
function integer(min: number, max: number) {
  return z.union([z.int(), z.string().regex(/^-?\d+$/, 'expected an integer')]).transform((value, context) => {
    const number = Number(value);
    if (Number.isSafeInteger(number) && number >= min && number <= max) return number;
    context.addIssue(`expected an integer from ${min} to ${max}, got ${value}`);
    return z.NEVER;
  });
}

const INT32_MAX = 2 ** 31 - 1;

/** A 32-bit count or index, never negative. */
export const count32 = () => integer(0, INT32_MAX);
/** A 32-bit count of at least one. */
export const positive32 = () => integer(1, INT32_MAX);
/** Any 32-bit integer. */
export const int32 = () => integer(-(2 ** 31), INT32_MAX);
/** A count that may be large (microseconds, versions), never negative, exact in a double. */
export const count64 = () => integer(0, Number.MAX_SAFE_INTEGER);
/** A whole number of at least one, exact in a double. */
export const positive64 = () => integer(1, Number.MAX_SAFE_INTEGER);
/** One dimension of a tensor: at least 1, or -1 for any size. */
export const dimension = () =>
  integer(-1, Number.MAX_SAFE_INTEGER).refine((dim) => dim !== 0, 'a dimension is at least 1, or -1 for any size');

/** A data type by the name that `model_config.proto` gives it. */
export const dataType = () => z.enum(Object.values(DATA_TYPES).map((row) => row.tritonName));

/** Why a relative file name is refused, or undefined: it must stay inside its folder. */
function fileNameFault(name: string): string | undefined {
  if (name.includes('\0') || name.includes('\\')) return 'a file name holds no backslash and no NUL';
  if (name.startsWith('/')) return 'a file name is relative to its folder';
  return name.split('/').includes('..') ? 'a file name must not leave its folder' : undefined;
}

/** A file inside the model's folder. Empty means: not given, as in protobuf. */
export const fileName = () =>
  z.string().superRefine((name, context) => {
    const fault = fileNameFault(name);
    if (fault !== undefined) context.addIssue(fault);
  });

/** Milliseconds, fractions too; text as well, as parameters are. */
export const milliseconds = () =>
  z.union([z.number(), z.string().regex(/^\d+(\.\d+)?$/, 'expected milliseconds')]).transform((value, context) => {
    const ms = Number(value);
    if (ms >= 0 && ms <= INT32_MAX) return ms;
    context.addIssue(`expected milliseconds from 0 to ${INT32_MAX}, got ${value}`);
    return z.NEVER;
  });

/** A part beside those of others. */
export const weight = () =>
  z.union([z.number(), z.string().regex(/^\d+(\.\d+)?$/, 'expected a weight')]).transform((value, context) => {
    const part = Number(value);
    if (part >= 0.01 && part <= 1000) return part;
    context.addIssue(`expected a weight from 0.01 to 1000, got ${value}`);
    return z.NEVER;
  });

/** A parameter's value: Triton's message, or, for short, a plain value. */
export const parameterValue = () =>
  z
    .union([z.strictObject({ string_value: z.string().optional() }), z.string(), z.number(), z.boolean()])
    .transform((value) =>
      typeof value === 'object' ? { string_value: value.string_value ?? '' } : { string_value: String(value) },
    );
