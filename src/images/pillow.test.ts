import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AS_IT_IS } from '../../test/support/image-recipe.js';
import type { ImageRecipe } from '../core/index.js';
import { picturesToRows } from './picture-rows.js';

interface Figures {
  readonly png: string;
  readonly portrait: string;
  readonly resized: readonly { filter: ImageRecipe['filter']; width: number; height: number; pixels: string }[];
  readonly opencv: Figures['resized'];
  readonly cropped: readonly { shorter: number; size: number; pixels: string }[];
  readonly croppedPortraits: Figures['cropped'];
}

const file = join(import.meta.dirname, '../../test/fixtures/images/pictures.json');
const pillow = JSON.parse(readFileSync(file, 'utf8')) as Figures;

async function pixels(base64: string, recipe: Partial<ImageRecipe>): Promise<number[]> {
  const body = Buffer.from(base64, 'base64');
  const places = [{ start: 0, bytes: body.length }];
  const every = { ...AS_IT_IS, ...recipe };
  return [...(await picturesToRows({ input: 'x', dataType: 'UINT8', recipe: every, body, places })).data];
}
const bytes = (base64: string): number[] => [...Buffer.from(base64, 'base64')];

describe("Pillow's numbers", () => {
  it.each(pillow.resized)(
    'are met to the bit by $filter to $width x $height',
    async ({ filter, width, height, pixels: expected }) => {
      expect(await pixels(pillow.png, { sizing: 'stretch', filter, width, height })).toEqual(bytes(expected));
    },
  );

  it.each(pillow.cropped)(
    "are met to the bit by torchvision's Resize($shorter) and CenterCrop($size)",
    async ({ shorter, size, pixels: expected }) => {
      const recipe = { sizing: 'shorter_side', shorterSide: shorter, width: size, height: size } as const;
      expect(await pixels(pillow.png, recipe)).toEqual(bytes(expected));
    },
  );

  it.each(pillow.croppedPortraits)(
    'are met by a portrait, cut to $size',
    async ({ shorter, size, pixels: expected }) => {
      const recipe = { sizing: 'shorter_side', shorterSide: shorter, width: size, height: size } as const;
      expect(await pixels(pillow.portrait, recipe)).toEqual(bytes(expected));
    },
  );
});

describe("OpenCV's numbers", () => {
  it.each(pillow.opencv)(
    'are met within a step by $filter without antialias, to $width x $height',
    async ({ filter, width, height, pixels: expected }) => {
      const made = await pixels(pillow.png, { sizing: 'stretch', antialias: false, filter, width, height });
      const differences = bytes(expected).map((value, i) => Math.abs(value - (made[i] as number)));
      // Cubic weights overshoot: what is cut between the two passes here is cut after both there.
      expect(Math.max(...differences)).toBeLessThanOrEqual(filter === 'nearest' ? 0 : filter === 'bicubic' ? 3 : 1);
      expect(differences.reduce((sum, one) => sum + one, 0) / differences.length).toBeLessThan(0.3);
    },
  );
});
