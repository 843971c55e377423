import { type ImageRecipe, ServingError } from '../core/index.js';
import type { Plane } from './channels.js';
import { resize } from './resize.js';
import type { SideTarget } from './weights.js';

/** A picture in the size that a model takes. Throws SHAPE_MISMATCH, beginning with `what`, where the recipe leaves it as it is and that does not fit. */
export function sizePicture(plane: Plane, recipe: ImageRecipe, what: string): Plane {
  const { sizing, filter, antialias } = recipe;
  const width = recipe.width ?? plane.width;
  const height = recipe.height ?? plane.height;
  switch (sizing) {
    case 'none':
      if (plane.width === width && plane.height === height) return plane;
      throw new ServingError(
        'SHAPE_MISMATCH',
        `${what}: expected an image of ${width} x ${height} pixels, it is ${plane.width} x ${plane.height}`,
      );
    case 'stretch':
      return resize(plane, all(width), all(height), filter, antialias);
    case 'shorter_side':
      return shorterSide(plane, recipe, width, height, what);
    case 'fit':
      return fitted(plane, recipe, width, height);
  }
}

const all = (size: number): SideTarget => ({ whole: size, from: 0, size });

/** As torchvision's `Resize` and `CenterCrop`: the longer side is cut to whole pixels, the cut's place rounded to even. */
function shorterSide(plane: Plane, recipe: ImageRecipe, width: number, height: number, what: string): Plane {
  const { shorterSide: short, filter, antialias } = recipe;
  const long = Math.trunc((short * Math.max(plane.width, plane.height)) / Math.min(plane.width, plane.height));
  const portrait = plane.width <= plane.height;
  const whole = { width: portrait ? short : long, height: portrait ? long : short };
  // A strip one pixel high would grow to more than was refused before it was decoded.
  if (whole.width * whole.height > recipe.maxPixels)
    throw new ServingError(
      'SHAPE_MISMATCH',
      `${what}: ${plane.width} x ${plane.height} pixels would become ${whole.width} x ${whole.height}, more than ${recipe.maxPixels} in all`,
    );
  const across = { whole: whole.width, from: halfToEven(whole.width - width), size: width };
  const down = { whole: whole.height, from: halfToEven(whole.height - height), size: height };
  return resize(plane, across, down, filter, antialias);
}

/** Half of a number that is not negative, rounded to even. */
function halfToEven(number: number): number {
  const half = Math.floor(number / 2);
  return number % 2 === 1 && half % 2 === 1 ? half + 1 : half;
}

function roundToEven(number: number): number {
  return number % 1 === 0.5 ? 2 * Math.round(number / 2) : Math.round(number);
}

/** As `letterbox` of YOLO services: sides rounded as Python rounds; of an odd rest the smaller half lies left and above. */
function fitted(plane: Plane, { filter, antialias, fill }: ImageRecipe, width: number, height: number): Plane {
  const ratio = Math.min(width / plane.width, height / plane.height);
  const inner = {
    width: Math.min(width, Math.max(1, roundToEven(plane.width * ratio))),
    height: Math.min(height, Math.max(1, roundToEven(plane.height * ratio))),
  };
  const small = resize(plane, all(inner.width), all(inner.height), filter, antialias);
  const { channels } = plane;
  const data = new Uint8Array(width * height * channels).fill(fill);
  const left = Math.floor((width - inner.width) / 2);
  const top = Math.floor((height - inner.height) / 2);
  const rowBytes = inner.width * channels;
  for (let y = 0; y < inner.height; y++)
    data.set(small.data.subarray(y * rowBytes, (y + 1) * rowBytes), ((top + y) * width + left) * channels);
  return { width, height, channels, data };
}
