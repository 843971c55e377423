import type { SizeCost } from '../../core/index.js';
import type { KnownClass, LearnedCost } from './learned-cost.js';

/** Raised where the form changes: older texts are not read any more. */
const FORM = 1;

/** More than any curve has; what is kept is checked, for a file can hold anything. */
const MOST_SIZES = 256;
const MOST_CLASSES = 1024;

/** All that a model of cost knows, as a text that `recallCosts` takes. */
export function costsText(costs: LearnedCost): string {
  const classes = costs
    .known()
    .map(({ shapeClass, device, sizes }) => [
      shapeClass,
      device ?? null,
      sizes.map(({ rows, meanNs, upperNs, weight }) => [rows, Math.round(meanNs), Math.round(upperNs), weight]),
    ]);
  return JSON.stringify({ form: FORM, classes });
}

/** Makes `costs` believe what a text says. Throws an Error where the text is not one of `costsText`; nothing is believed then. */
export function recallCosts(costs: LearnedCost, text: string): void {
  for (const known of classesOf(JSON.parse(text) as unknown)) costs.believe(known);
}

function classesOf(value: unknown): KnownClass[] {
  const { form, classes } = value as { form?: unknown; classes?: unknown };
  if (form !== FORM || !Array.isArray(classes) || classes.length > MOST_CLASSES) throw new Error('not of this form');
  return classes.map((one: unknown) => {
    const [shapeClass, device, sizes] = Array.isArray(one) ? one : [];
    const named = typeof shapeClass === 'string' && (device === null || typeof device === 'string');
    if (!named || !Array.isArray(sizes) || sizes.length > MOST_SIZES) throw new Error('a class is not whole');
    return { shapeClass, device: device ?? undefined, sizes: sizes.map(sizeOf) };
  });
}

function sizeOf(value: unknown): SizeCost {
  const [rows, meanNs, upperNs, weight] = Array.isArray(value) ? value : [];
  const positive = [rows, meanNs, upperNs, weight].every((number) => Number.isFinite(number) && number > 0);
  if (!positive || rows < 1 || upperNs < meanNs) throw new Error('a size is not whole');
  return { rows, meanNs, upperNs, weight };
}
