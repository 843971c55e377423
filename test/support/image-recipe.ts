import type { ImageRecipe } from '../../src/core/index.js';

/** A recipe that takes a picture as it is: its bytes as red, green, blue, in the order of its rows, of any size up to a million pixels. */
export const AS_IT_IS: ImageRecipe = {
  orientation: 'ignore',
  sizing: 'none',
  width: undefined,
  height: undefined,
  shorterSide: 1,
  filter: 'bilinear',
  antialias: true,
  color: 'rgb',
  background: undefined,
  layout: 'hwc',
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  fill: 0,
  maxPixels: 1e6,
  shape: undefined,
};
