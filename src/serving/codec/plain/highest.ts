import type { TypedArray } from '../../../core/index.js';

/** Indices of the `most` highest values, highest first; of equal ones the lower index is first, NaN is last. */
export function highest(values: TypedArray, most: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    let place = found.length;
    while (place > 0 && isAbove(values[i] as number, values[found[place - 1] as number] as number)) place--;
    if (place >= most) continue;
    found.splice(place, 0, i);
    if (found.length > most) found.pop();
  }
  return found;
}

/** Whether `a` is above `b`; any number is above NaN. */
function isAbove(a: number | bigint, b: number | bigint): boolean {
  return a > b || (Number.isNaN(b) && !Number.isNaN(a));
}
