import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { AS_IT_IS } from '../../test/support/image-recipe.js';
import { type DataType, type ImageRecipe, numberToHalf, type ServingError, typedView } from '../core/index.js';
import { picturesToRows } from './picture-rows.js';

const RECIPE: ImageRecipe = { ...AS_IT_IS, layout: 'chw', fill: 7, maxPixels: 10_000 };

type Colour = readonly [number, number, number];

function png(width: number, height: number, colours: readonly Colour[], options: object = {}): Buffer {
  const data = Buffer.from(colours.flatMap((colour) => [...colour, 255]));
  return PNG.sync.write(Object.assign(new PNG({ width, height }), { data }), options);
}

async function rows(files: readonly Uint8Array[], recipe: Partial<ImageRecipe> = {}, dataType: DataType = 'FP32') {
  let start = 0;
  const places = files.map(({ byteLength }) => {
    start += byteLength;
    return { start: start - byteLength, bytes: byteLength };
  });
  const made = await picturesToRows({
    input: 'photo',
    dataType,
    recipe: { ...RECIPE, ...recipe },
    body: Buffer.concat(files),
    places,
  });
  return { shape: made.shape, values: [...typedView(dataType, made.data)] as number[] };
}

async function refusal(files: readonly Uint8Array[], recipe: Partial<ImageRecipe> = {}): Promise<string> {
  try {
    await rows(files, recipe);
  } catch (thrown) {
    const { reason, message } = thrown as ServingError;
    return `${reason}: ${message}`;
  }
  return 'none';
}

const TWO = png(2, 1, [
  [10, 20, 30],
  [40, 50, 60],
]);

describe('a picture as elements', () => {
  it.each([
    [{}, [3, 1, 2], [10, 40, 20, 50, 30, 60]],
    [{ layout: 'hwc' }, [1, 2, 3], [10, 20, 30, 40, 50, 60]],
    [{ color: 'bgr' }, [3, 1, 2], [30, 60, 20, 50, 10, 40]],
    [
      { color: 'rgba', layout: 'hwc', mean: [0, 0, 0, 0], std: [1, 1, 1, 1] },
      [1, 2, 4],
      [10, 20, 30, 255, 40, 50, 60, 255],
    ],
    [{ color: 'gray', mean: [0], std: [1], shape: [2] }, [2], [18, 48]],
    [{ scale: 0.5, mean: [1, 2, 3], std: [2, 4, 8] }, [3, 1, 2], [2, 9.5, 2, 5.75, 1.5, 3.375]],
  ] as const)('has the order, shape and scale of its recipe: %j', async (recipe, shape, values) => {
    expect(await rows([TWO], recipe)).toEqual({ shape, values });
  });

  it('is written in the type of the input, integers rounded and within its bounds', async () => {
    expect((await rows([TWO], { scale: 3.3 }, 'UINT8')).values).toEqual([33, 132, 66, 165, 99, 198]);
    expect((await rows([TWO], { scale: 10 }, 'UINT8')).values).toEqual([100, 255, 200, 255, 255, 255]);
    expect((await rows([TWO], { mean: [128, 128, 128] }, 'INT8')).values).toEqual([-118, -88, -108, -78, -98, -68]);
    expect((await rows([TWO], { scale: 0.1 }, 'FP16')).values).toEqual([1, 4, 2, 5, 3, 6].map(numberToHalf));
  });

  it('is fitted whole in the middle of what is filled', async () => {
    const white = png(2, 1, [
      [255, 255, 255],
      [255, 255, 255],
    ]);
    const fitted = await rows([white], { sizing: 'fit', width: 4, height: 4, color: 'gray', mean: [0], std: [1] });
    expect(fitted.values).toEqual([7, 7, 7, 7, 255, 255, 255, 255, 255, 255, 255, 255, 7, 7, 7, 7]);
  });

  it('looks at its nearest pixels only, without antialias', async () => {
    const grey = png(
      4,
      1,
      [0, 100, 200, 40].map((value): Colour => [value, value, value]),
    );
    const small = async (antialias: boolean) =>
      (await rows([grey], { sizing: 'stretch', width: 2, height: 1, antialias, color: 'gray' })).values;
    expect(await small(false)).toEqual([50, 120]);
    expect(await small(true)).not.toEqual([50, 120]);
  });

  it('makes a row each of several, which have one size', async () => {
    expect((await rows([TWO, TWO], { layout: 'hwc' })).values).toEqual([
      10, 20, 30, 40, 50, 60, 10, 20, 30, 40, 50, 60,
    ]);
    const one = png(1, 1, [[1, 2, 3]]);
    expect(await refusal([TWO, one])).toBe(
      "SHAPE_MISMATCH: input 'photo', image 1: its shape is [3,1,1], that of the image before it [3,1,2]; images of one request have one size",
    );
    expect(await refusal([one], { width: 2, height: 2 })).toBe(
      "SHAPE_MISMATCH: input 'photo': expected an image of 2 x 2 pixels, it is 1 x 1",
    );
  });
});

/** A PNG of any declared size and content, its checksums right. */
function rawPng(width: number, height: number, interlaced: boolean, pixels: Uint8Array): Buffer {
  const chunk = (type: string, data: Uint8Array) => {
    const whole = Buffer.concat([Buffer.alloc(4), Buffer.from(type), data, Buffer.alloc(4)]);
    whole.writeUInt32BE(data.byteLength, 0);
    whole.writeUInt32BE(crc(whole.subarray(4, -4)), whole.length - 4);
    return whole;
  };
  const head = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 6, 0, 0, interlaced ? 1 : 0]);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  const magic = Buffer.from('89504e470d0a1a0a', 'hex');
  return Buffer.concat([
    magic,
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(pixels)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

function crc(bytes: Uint8Array): number {
  let value = ~0;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}

describe('a broken picture', () => {
  const jpg = jpeg.encode({ width: 16, height: 16, data: Buffer.alloc(16 * 16 * 4, 128) }, 90).data;

  it.each([
    ['expected a PNG, JPEG, WebP or GIF image, it is empty', Buffer.alloc(0)],
    ['expected a PNG, JPEG, WebP or GIF image, it begins with the bytes 474946383861', Buffer.from('GIF88a........')],
    ['the image cannot be decoded: the file is cut short', TWO.subarray(0, 20)],
    ['the image cannot be decoded: the file is cut short', TWO.subarray(0, -4)],
    ['the image cannot be decoded: it is 0 x 5 pixels', rawPng(0, 5, false, new Uint8Array(8))],
    ['the image cannot be decoded: it has no frame', Buffer.from('ffd8ffd9', 'hex')],
    ['the image cannot be decoded: it has no frame', jpg.subarray(0, 30)],
  ])('is refused: %s', async (why, file) => {
    expect(await refusal([file])).toContain(`MALFORMED_REQUEST: input 'photo': ${why}`);
  });

  it('that says it is larger than is taken is refused before it is decoded', async () => {
    const large =
      "input 'photo': the image cannot be decoded: it is 60000 x 60000 pixels, at most 10000 in all are taken";
    expect(await refusal([rawPng(60_000, 60_000, false, new Uint8Array(8))])).toContain(large);
    const huge = Buffer.from(jpg);
    const frame = huge.indexOf(Buffer.from('ffc0', 'hex'));
    huge.writeUInt16BE(60_000, frame + 5);
    huge.writeUInt16BE(60_000, frame + 7);
    expect(await refusal([huge])).toContain(large);
  });

  it('that inflates to more than its size takes no memory for that', async () => {
    const bomb = rawPng(4, 4, true, new Uint8Array(50_000_000));
    const before = process.memoryUsage().arrayBuffers;
    expect(await refusal([bomb])).toContain('MALFORMED_REQUEST');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5_000_000);
  });

  it('with more scans than any encoder writes is refused', async () => {
    const scans = Buffer.concat([
      jpg.subarray(0, -2),
      Buffer.alloc(200 * 10, Buffer.from('ffda0008010100003f00', 'hex')),
      Buffer.from('ffd9', 'hex'),
    ]);
    expect(await refusal([scans])).toContain('more than 64 scans');
  });

  it('that grows along its longer side beyond what is taken is refused', async () => {
    const strip = png(500, 1, new Array<Colour>(500).fill([1, 2, 3]));
    expect(await refusal([strip], { sizing: 'shorter_side', shorterSide: 8, width: 8, height: 8 })).toContain(
      '500 x 1 pixels would become 4000 x 8, more than 10000 in all',
    );
  });

  it('is refused as that, wherever it is broken', async () => {
    const files = [TWO, jpg];
    await fc.assert(
      fc.asyncProperty(fc.nat(1), fc.nat(), fc.nat(255), async (which, at, byte) => {
        const file = Buffer.from(files[which] as Buffer);
        file[at % file.length] = byte;
        expect(await refusal([file])).toMatch(/^(none|MALFORMED_REQUEST: input 'photo': )/);
      }),
      { numRuns: 200 },
    );
  });
});
