import type { ProviderShares } from '../../core/index.js';
import { closeness } from './closeness.js';
import type { ModelRunner } from './model-runner.js';
import { randomInput } from './random-input.js';

/** Batch sizes whose answers are compared: odd ones too, as kernels differ by size. */
export const COMPARED_ROWS: readonly number[] = [1, 2, 3, 5, 8, 16, 33, 64];
/** Random inputs for each batch size. */
export const ROUNDS = 4;

/** The answers of one device beside the reference's. */
export interface Agreement {
  readonly precision: string;
  readonly tolerance: number;
  readonly comparisons: number;
  /** Largest difference of an element, as a share of its row's largest value. */
  readonly worst: number;
  /** Empty where every answer was close. At most one for each batch size. */
  readonly faults: readonly string[];
}

/** Runs the same random inputs through both, over all batch sizes and lanes, and compares every element. */
export async function agreementOf(
  reference: ModelRunner,
  examined: ModelRunner,
  inputName: string,
  precision: { readonly name: string; readonly tolerance: number },
): Promise<Agreement> {
  const faults: string[] = [];
  let worst = 0;
  let comparisons = 0;
  for (const rows of COMPARED_ROWS) {
    let fault: string | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      const input = randomInput(inputName, [rows, ...reference.rowShape], rows * 1000 + round);
      const wanted = await reference.run(input, round % reference.lanes);
      const found = await examined.run(input, round % examined.lanes);
      if (found.length !== wanted.length) fault ??= `expected ${wanted.length} outputs, got ${found.length}`;
      for (const [i, output] of wanted.entries()) {
        const answer = found[i];
        if (answer === undefined) continue;
        const result = closeness(output, answer, precision.tolerance);
        comparisons++;
        worst = Math.max(worst, result.worst);
        fault ??= result.fault;
      }
    }
    if (fault !== undefined) faults.push(`${rows} rows: ${fault}`);
  }
  return { precision: precision.name, tolerance: precision.tolerance, comparisons, worst, faults };
}

/** Why the shares do not prove that the GPU runs every node, or undefined. */
export function providerFault(providers: ProviderShares): string | undefined {
  const elsewhere = Object.entries(providers).filter(([name, share]) => name !== CUDA && share > 0);
  if (elsewhere.length === 0 && (providers[CUDA] ?? 0) > 0) return undefined;
  const shares = Object.entries(providers).map(([name, share]) => `${name} ${(share * 100).toFixed(0)} %`);
  return `nodes do not all run on CUDA: ${shares.length === 0 ? 'no provider is known' : shares.join(', ')}`;
}

const CUDA = 'CUDAExecutionProvider';
