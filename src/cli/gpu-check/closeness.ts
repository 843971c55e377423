import { type Tensor, typedView } from '../../core/index.js';

/** How far apart two devices' answers were. */
export interface Closeness {
  readonly close: boolean;
  /** Largest difference of an element, as a share of its row's largest reference value; infinite where not comparable. */
  readonly worst: number;
  /** What is wrong, for a person; undefined where all is close. */
  readonly fault: string | undefined;
}

/**
 * Compares FP32 outputs row by row: an element may differ by `tolerance` times the largest reference value of its row (a
 * sum of terms is as exact as its largest terms, not as its result). Anything that is not a finite number, another shape, a
 * row of zeros or equal rows is a fault: it would prove nothing.
 */
export function closeness(reference: Tensor, got: Tensor, tolerance: number): Closeness {
  const where = `output '${reference.name}'`;
  const fault = (text: string): Closeness => ({
    close: false,
    worst: Number.POSITIVE_INFINITY,
    fault: `${where}: ${text}`,
  });
  if (got.name !== reference.name || got.dataType !== 'FP32' || reference.dataType !== 'FP32')
    return fault(`expected FP32, got output '${got.name}' of ${got.dataType}`);
  if (got.shape.join() !== reference.shape.join())
    return fault(`expected shape [${reference.shape}], got [${got.shape}]`);
  const wanted = typedView('FP32', reference.data) as Float32Array;
  const found = typedView('FP32', got.data) as Float32Array;
  if (found.length !== wanted.length) return fault(`expected ${wanted.length} elements, got ${found.length}`);

  const rows = reference.shape[0] ?? 1;
  const width = wanted.length / rows;
  let worst = 0;
  let worstAt = 0;
  for (let row = 0; row < rows; row++) {
    const largest = largestOf(wanted.subarray(row * width, (row + 1) * width));
    if (!(largest > 0)) return fault(`row ${row} of the reference holds nothing to compare with`);
    for (let at = row * width; at < (row + 1) * width; at++) {
      const difference = Math.abs((found[at] as number) - (wanted[at] as number)) / largest;
      if (!Number.isFinite(difference)) return fault(`element ${at} is ${found[at]}, expected ${wanted[at]}`);
      if (difference > worst) {
        worst = difference;
        worstAt = at;
      }
    }
    if (row > 0 && equalRows(wanted, row, width))
      return fault(`rows ${row - 1} and ${row} of the reference are the same`);
  }
  if (worst <= tolerance) return { close: true, worst, fault: undefined };
  return {
    close: false,
    worst,
    fault: `${where}: element ${worstAt} is ${found[worstAt]}, expected ${wanted[worstAt]} (${worst.toExponential(1)} of its row's largest value, ${tolerance} allowed)`,
  };
}

function largestOf(values: Float32Array): number {
  let largest = 0;
  // `Math.max` would lose a NaN's place; here it makes the row fail.
  for (const value of values) if (!(Math.abs(value) <= largest)) largest = Math.abs(value);
  return Number.isFinite(largest) ? largest : Number.NaN;
}

function equalRows(values: Float32Array, row: number, width: number): boolean {
  for (let i = 0; i < width; i++) if (values[row * width + i] !== values[(row - 1) * width + i]) return false;
  return true;
}
