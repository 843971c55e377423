import {
  byteSize,
  DATA_TYPES,
  type DataType,
  type ImageRecipe,
  numberToBfloat,
  numberToHalf,
  type PictureBatch,
  type PictureRows,
  ServingError,
  type TypedArray,
} from '../core/index.js';
import { channelsOf, onBackground, type Plane } from './channels.js';
import { decodePicture } from './decode-picture.js';
import { sizePicture } from './size-picture.js';

/**
 * Decodes pictures and makes the elements of one input of them, a row each. Pure; for a pool thread. Rejects with
 * MALFORMED_REQUEST where one is no picture, SHAPE_MISMATCH where one does not fit the model or the others, each naming the
 * input and, of several, the row.
 */
export async function picturesToRows({ input, dataType, recipe, body, places }: PictureBatch): Promise<PictureRows> {
  let shape: readonly number[] | undefined;
  let data = new Uint8Array(0);
  for (const [row, { start, bytes }] of places.entries()) {
    const what = places.length === 1 ? `input '${input}'` : `input '${input}', image ${row}`;
    const picture = await decodePicture(body.subarray(start, start + bytes), recipe, what);
    const plane = sizePicture(channelsOf(onBackground(picture, recipe.background), recipe.color), recipe, what);
    const own = shapeOf(plane, recipe);
    if (shape === undefined) {
      shape = own;
      data = new Uint8Array(places.length * byteSize(dataType, own));
    } else if (own.some((dim, axis) => dim !== shape?.[axis]))
      throw new ServingError(
        'SHAPE_MISMATCH',
        `${what}: its shape is [${own}], that of the image before it [${shape}]; images of one request have one size`,
      );
    const rowBytes = data.byteLength / places.length;
    writeRow(plane, recipe, dataType, data, row * rowBytes);
  }
  return { shape: shape ?? [], data };
}

function shapeOf({ width, height, channels }: Plane, { shape, layout }: ImageRecipe): readonly number[] {
  return shape ?? (layout === 'chw' ? [channels, height, width] : [height, width, channels]);
}

/** Writes the elements of one picture from `start` on. Integers are rounded and kept in the bounds of their type. */
function writeRow(plane: Plane, recipe: ImageRecipe, dataType: DataType, data: Uint8Array, start: number): void {
  const { channels, data: bytes } = plane;
  const area = plane.width * plane.height;
  const { array } = DATA_TYPES[dataType];
  const out = new array(data.buffer, data.byteOffset + start, area * channels);
  const chw = recipe.layout === 'chw';
  for (let c = 0; c < channels; c++) {
    const values = valuesOfBytes(recipe, c, dataType);
    const step = chw ? 1 : channels;
    let to = chw ? c * area : c;
    for (let from = c; from < bytes.length; from += channels, to += step)
      out[to] = values[bytes[from] as number] as number;
  }
}

/** The element that each of the 256 bytes becomes in a channel. */
function valuesOfBytes({ scale, mean, std }: ImageRecipe, channel: number, dataType: DataType): TypedArray {
  const { array, elementBytes, min, max } = DATA_TYPES[dataType];
  const values = new array(new ArrayBuffer(256 * elementBytes));
  for (let byte = 0; byte < 256; byte++) {
    const value = (byte * scale - (mean[channel] ?? 0)) / (std[channel] ?? 1);
    if (dataType === 'FP16') values[byte] = numberToHalf(value);
    else if (dataType === 'BF16') values[byte] = numberToBfloat(value);
    else if (min === undefined || max === undefined) values[byte] = value;
    else values[byte] = Math.min(Number(max), Math.max(Number(min), Math.round(value)));
  }
  return values;
}
