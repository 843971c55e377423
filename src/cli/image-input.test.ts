import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { decodeElements } from '../elements/index.js';
import type { Picture } from '../images/index.js';
import { decodeImage, type ImageOptions, imageTensor } from './image-input.js';

const PLAIN: ImageOptions = { layout: undefined, scale: 1, resize: 'area' };

/** An image of the given colours, row by row. */
function image(width: number, height: number, colours: readonly (readonly [number, number, number])[]): Picture {
  return { width, height, data: Uint8Array.from(colours.flatMap((colour) => [...colour, 255])) };
}
const grey = (width: number, height: number, values: readonly number[]) =>
  image(
    width,
    height,
    values.map((value) => [value, value, value] as const),
  );
const tensor = (pixels: Picture, shape: readonly number[], options: Partial<ImageOptions> = {}, datatype = 'FP32') => {
  const made = imageTensor(pixels, { name: 'x', datatype, shape }, { ...PLAIN, ...options });
  return { shape: made.shape, values: decodeElements(made.dataType, made.data) };
};

describe('an image as an input', () => {
  const colours = image(2, 1, [
    [10, 20, 30],
    [40, 50, 60],
  ]);

  it.each<[readonly number[], readonly number[], readonly number[]]>([
    [
      [-1, 3, 1, 2],
      [1, 3, 1, 2],
      [10, 40, 20, 50, 30, 60],
    ],
    [
      [-1, 1, 2, 3],
      [1, 1, 2, 3],
      [10, 20, 30, 40, 50, 60],
    ],
    [
      [3, -1, -1],
      [3, 1, 2],
      [10, 40, 20, 50, 30, 60],
    ],
    [
      [-1, -1, -1, 3],
      [1, 1, 2, 3],
      [10, 20, 30, 40, 50, 60],
    ],
  ])('takes the axes of shape %j', (shape, made, values) => {
    const options = shape.join() === '-1,1,2,3' ? { layout: 'hwc' as const } : {};
    expect(tensor(colours, shape, options)).toEqual({ shape: made, values });
  });

  it('is grey where one channel or none is asked for', () => {
    const weighed = image(1, 1, [[100, 200, 50]]);
    expect(tensor(weighed, [-1, 1, 1, 1]).values[0]).toBeCloseTo(0.299 * 100 + 0.587 * 200 + 0.114 * 50, 4);
    expect(tensor(grey(2, 2, [1, 2, 3, 4]), [-1, 4])).toEqual({ shape: [1, 4], values: [1, 2, 3, 4] });
    expect(tensor(grey(2, 2, [1, 2, 3, 4]), [-1, 2, 2])).toEqual({ shape: [1, 2, 2], values: [1, 2, 3, 4] });
  });

  it('shrinks by the mean of areas, or by the nearest pixel', () => {
    const four = grey(4, 2, [0, 10, 20, 30, 40, 50, 60, 70]);
    expect(tensor(four, [1, 1, 1, 2]).values).toEqual([25, 45]);
    expect(tensor(four, [1, 1, 1, 2], { resize: 'nearest' }).values).toEqual([50, 70]);
    expect(tensor(grey(3, 1, [0, 30, 60]), [1, 1, 1, 2]).values).toEqual([10, 50]);
  });

  it('grows', () => {
    expect(tensor(grey(2, 1, [0, 100]), [1, 1, 2, 4]).values).toEqual([0, 0, 100, 100, 0, 0, 100, 100]);
  });

  it('scales floating point to 0..1 unless told otherwise, and leaves integers', () => {
    expect(tensor(grey(1, 1, [255]), [1, 1, 1, 1], { scale: undefined }).values).toEqual([1]);
    expect(tensor(grey(1, 1, [255]), [1, 1, 1, 1], { scale: undefined }, 'UINT8').values).toEqual([255]);
    expect(tensor(grey(1, 1, [255]), [1, 1, 1, 1], { scale: 16 / 255 }).values).toEqual([16]);
  });

  it.each([[[-1, 7, 5, 5]], [[5]], [[2, 3, 4, 5, 6]]])('is refused for shape %j', (shape) => {
    expect(() => tensor(grey(3, 3, Array(9).fill(0) as number[]), shape)).toThrow(/input 'x'/);
  });

  it('is decoded from PNG and JPEG files by their content', async () => {
    const png = PNG.sync.write(Object.assign(new PNG({ width: 2, height: 1 }), { data: Buffer.from(colours.data) }));
    expect([...(await decodeImage(png, 'x')).data]).toEqual([...colours.data]);
    const jpg = jpeg.encode({ width: 16, height: 16, data: Buffer.alloc(16 * 16 * 4, 128) }, 95).data;
    expect(await decodeImage(jpg, 'x')).toMatchObject({ width: 16, height: 16 });
    await expect(decodeImage(png.subarray(0, 40), 'x')).rejects.toThrow(/cannot be decoded/);
    await expect(decodeImage(Buffer.from('BM......'), 'x')).rejects.toThrow(/expected a PNG.*BMP/);
  });

  it('gives the pixels of the bundled sample as the model was trained on them', async () => {
    const samples = join(import.meta.dirname, '../../deploy/examples/samples');
    const request = JSON.parse(readFileSync(join(samples, 'digit-3.json'), 'utf8')) as { inputs: [{ data: number[] }] };
    const made = tensor(await decodeImage(readFileSync(join(samples, 'digit-3.png')), 'x'), [-1, 64], {
      scale: 16 / 255,
    });
    expect(made.values.map((value) => Math.round(Number(value)))).toEqual(request.inputs[0].data);
  });
});
