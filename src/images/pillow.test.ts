import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ImageRecipe } from '../core/index.js';
import { picturesToRows } from './picture-rows.js';

interface Figures {
  readonly png: string;
  readonly portrait: string;
  readonly resized: readonly { filter: ImageRecipe['filter']; width: number; height: number; pixels: string }[];
  readonly cropped: readonly { shorter: number; size: number; pixels: string }[];
  readonly croppedPortraits: Figures['cropped'];
  readonly jpegs: readonly { label: string; file: string; pixels: string }[];
  readonly pngs: Figures['jpegs'];
}

const file = join(import.meta.dirname, '../../test/fixtures/images/pictures.json');
const pillow = JSON.parse(readFileSync(file, 'utf8')) as Figures;

const AS_IT_IS: ImageRecipe = {
  sizing: 'none',
  width: undefined,
  height: undefined,
  shorterSide: 1,
  filter: 'bilinear',
  antialias: true,
  color: 'rgb',
  layout: 'hwc',
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  fill: 0,
  maxPixels: 1e6,
  shape: undefined,
};

function pixels(base64: string, recipe: Partial<ImageRecipe>): number[] {
  const body = Buffer.from(base64, 'base64');
  const places = [{ start: 0, bytes: body.length }];
  return [...picturesToRows({ input: 'x', dataType: 'UINT8', recipe: { ...AS_IT_IS, ...recipe }, body, places }).data];
}
const bytes = (base64: string): number[] => [...Buffer.from(base64, 'base64')];
const differences = (made: readonly number[], expected: readonly number[]): { most: number; mean: number } => {
  expect(made.length).toBe(expected.length);
  const all = made.map((value, i) => Math.abs(value - (expected[i] as number)));
  return { most: Math.max(...all), mean: all.reduce((sum, one) => sum + one, 0) / all.length };
};

describe("Pillow's numbers", () => {
  it.each(pillow.resized)(
    'are met to the bit by $filter to $width x $height',
    ({ filter, width, height, pixels: expected }) => {
      expect(pixels(pillow.png, { sizing: 'stretch', filter, width, height })).toEqual(bytes(expected));
    },
  );

  it.each(pillow.cropped)(
    "are met to the bit by torchvision's Resize($shorter) and CenterCrop($size)",
    ({ shorter, size, pixels: expected }) => {
      const recipe = { sizing: 'shorter_side', shorterSide: shorter, width: size, height: size } as const;
      expect(pixels(pillow.png, recipe)).toEqual(bytes(expected));
    },
  );

  it.each(pillow.croppedPortraits)('are met by a portrait, cut to $size', ({ shorter, size, pixels: expected }) => {
    const recipe = { sizing: 'shorter_side', shorterSide: shorter, width: size, height: size } as const;
    expect(pixels(pillow.portrait, recipe)).toEqual(bytes(expected));
  });

  it.each(pillow.pngs)('are met to the bit by a PNG: $label', ({ label, file: png, pixels: expected }) => {
    expect(pixels(png, label === 'L of rgb' ? { color: 'gray' } : {})).toEqual(bytes(expected));
  });

  it.each(pillow.jpegs)('are met closely by a JPEG: $label', ({ label, file: jpg, pixels: expected }) => {
    const { most, mean } = differences(pixels(jpg, {}), bytes(expected));
    // libjpeg smooths colours that were stored at half the size; the decoder here repeats them.
    const subsampled = label === '4:2:0' || label === 'progressive';
    expect(most).toBeLessThanOrEqual(subsampled ? 60 : 3);
    expect(mean).toBeLessThanOrEqual(subsampled ? 6 : 0.6);
  });
});
