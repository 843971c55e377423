import { badAnswer } from './client-error.js';
import type { ClassScore, InferOptions } from './protocol.js';
import { type OutputTensor, textsOf } from './tensor.js';

/** Which output is classified, and how many classes are wanted. */
export interface ClassifyOptions extends Omit<InferOptions, 'outputs'> {
  readonly output: string;
  readonly k: number;
}

/** The rows of a classified output: BYTES [batch, k] or [k], each `value:index` or `value:index:label`. */
export function classesOf(name: string, output: OutputTensor | undefined): ClassScore[][] {
  if (output?.datatype !== 'BYTES') throw badAnswer(`output '${name}' came without classes`);
  const classes = textsOf(output).map((text): ClassScore => {
    const [value, index, ...label] = text.split(':');
    return { value: Number(value), index: Number(index), label: label.length === 0 ? undefined : label.join(':') };
  });
  const k = output.shape.at(-1) ?? 0;
  const rows = k === 0 ? 0 : classes.length / k;
  return Array.from({ length: rows }, (_, row) => classes.slice(row * k, (row + 1) * k));
}
