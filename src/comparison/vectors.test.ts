import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { DataType, Tensor } from '../core/index.js';
import { compareOutputs } from './index.js';

interface Vector {
  readonly name: string;
  readonly dataType: DataType;
  readonly shape: number[];
  readonly expected: string;
  readonly came: string;
  readonly agrees: boolean;
  readonly topAgrees: boolean;
  readonly maxAbsoluteError: number;
  readonly maxRelativeError: number;
  readonly rankCorrelation: number | null;
  readonly totalVariation: number | null;
}

/** Made by vectors/make_vectors.py with numpy and scipy, which share no line with this room. */
const { absolute, relative, vectors } = JSON.parse(
  readFileSync(new URL('./vectors/vectors.json', import.meta.url), 'utf8'),
) as { absolute: number; relative: number; vectors: Vector[] };

const ALL = { elements: Number.POSITIVE_INFINITY, ranked: Number.POSITIVE_INFINITY };

function tensor({ dataType, shape }: Vector, hex: string): Tensor {
  return { name: 'y', dataType, shape, data: new Uint8Array(Buffer.from(hex, 'hex')) };
}

function expectNear(found: number | undefined, expected: number | null): void {
  if (expected === null || found === undefined) expect(found).toBe(expected ?? undefined);
  else expect(Math.abs(found - expected) / Math.max(1, Math.abs(expected))).toBeLessThan(1e-12);
}

describe('comparisons agree with numpy and scipy to 1e-12', () => {
  it.each(vectors)('$dataType, $name', (vector) => {
    const found = compareOutputs(
      [tensor(vector, vector.expected)],
      [tensor(vector, vector.came)],
      true,
      { absolute, relative },
      ALL,
    );
    expect(found).toMatchObject({ agrees: vector.agrees, topAgrees: vector.topAgrees });
    expectNear(found.maxAbsoluteError, vector.maxAbsoluteError);
    expectNear(found.maxRelativeError, vector.maxRelativeError);
    expectNear(found.rankCorrelation, vector.rankCorrelation);
    expectNear(found.totalVariation, vector.totalVariation);
  });
});
