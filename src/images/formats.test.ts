import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AS_IT_IS } from '../../test/support/image-recipe.js';
import type { ImageRecipe } from '../core/index.js';
import { picturesToRows } from './picture-rows.js';

/** A file and what Pillow makes of it: test/fixtures/images/make_formats.py. */
interface Case {
  readonly label: string;
  /** By how much a pixel may differ. */
  readonly most: number;
  readonly mode: 'RGB' | 'RGBA' | 'L';
  readonly recipe: Partial<ImageRecipe>;
  readonly file: string;
  readonly sha256?: string;
  readonly pixels?: string;
}

const fixture = join(import.meta.dirname, '../../test/fixtures/images/formats.json');
const cases = JSON.parse(readFileSync(fixture, 'utf8')) as Case[];
const COLORS = { RGB: 'rgb', RGBA: 'rgba', L: 'gray' } as const;

async function pixels({ file, mode, recipe }: Case): Promise<Uint8Array> {
  const body = Buffer.from(file, 'base64');
  const color = COLORS[mode];
  const every = { ...AS_IT_IS, color, mean: [0, 0, 0, 0], std: [1, 1, 1, 1], ...recipe };
  const places = [{ start: 0, bytes: body.length }];
  return (await picturesToRows({ input: 'x', dataType: 'UINT8', recipe: every, body, places })).data;
}

describe("Pillow's pixels", () => {
  it.each(cases.filter(({ most }) => most === 0))('are met to the bit: $label', async (one) => {
    expect(
      createHash('sha256')
        .update(await pixels(one))
        .digest('hex'),
    ).toBe(one.sha256);
  });

  it.each(cases.filter(({ most }) => most > 0))('are met within $most of 255: $label', async (one) => {
    const made = await pixels(one);
    const expected = Buffer.from(one.pixels ?? '', 'base64');
    expect(made.length).toBe(expected.length);
    const differences = [...made].map((value, i) => Math.abs(value - (expected[i] as number)));
    expect(Math.max(...differences)).toBeLessThanOrEqual(one.most);
  });
});
