import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServingError } from '../core/index.js';
import { decodePicture } from './decode-picture.js';
import { orientationOf } from './orientation.js';

const fixture = join(import.meta.dirname, '../../test/fixtures/images/formats.json');
const files = new Map(
  (JSON.parse(readFileSync(fixture, 'utf8')) as { label: string; file: string }[]).map(({ label, file }) => [
    label,
    Buffer.from(file, 'base64'),
  ]),
);
const fileOf = (label: string): Buffer => Buffer.from(files.get(label) ?? expect.fail(`no file '${label}'`));

async function outcome(file: Uint8Array, maxPixels = 20_000): Promise<string> {
  try {
    const { width, height, data } = await decodePicture(file, { maxPixels, orientation: 'exif' }, 'it');
    return data.length === 4 * width * height ? 'decoded' : 'its pixels do not fit its size';
  } catch (thrown) {
    const { reason, message } = thrown as ServingError;
    return `${reason}: ${message}`;
  }
}
const decodedOrRefused = /^(decoded|MALFORMED_REQUEST: it: )/;

const KINDS = [
  'JPEG 4:2:0 photo',
  'JPEG progressive photo',
  'JPEG CMYK drawing',
  'PNG rgba',
  'PNG palette with transparency',
  'PNG interlaced rgb',
  'WebP lossless drawing',
  'WebP lossy with alpha',
  'WebP animated',
  'GIF photo',
  'GIF drawing, not interlaced',
] as const;

describe.each(KINDS)('a broken %s', (label) => {
  it('is decoded or refused, wherever bytes of it are others', async () => {
    const bytes = fileOf(label);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), async (changes) => {
        const file = Buffer.from(bytes);
        // The first bytes of a file decide most.
        for (const [at, byte] of changes) file[at % (at % 2 === 0 ? Math.min(64, file.length) : file.length)] = byte;
        expect(await outcome(file)).toMatch(decodedOrRefused);
      }),
      { numRuns: 60 },
    );
    expect(await outcome(bytes)).toBe('decoded');
  });

  it('is refused where it is cut, unless at its very end', async () => {
    const bytes = fileOf(label);
    for (let cut = 0; cut < bytes.length - 12; cut += 1 + Math.floor(bytes.length / 60))
      expect([cut, await outcome(bytes.subarray(0, cut))]).toEqual([
        cut,
        expect.stringMatching(/^MALFORMED_REQUEST: /),
      ]);
  });
});

describe('a picture of a size that is not taken', () => {
  const tooLarge = /^MALFORMED_REQUEST: it: the image cannot be decoded: it is \d+ x \d+ pixels, at most 20000/;

  it('is refused by what a WebP says of itself, in each of the places where it does', async () => {
    const lossless = fileOf('WebP lossless drawing');
    lossless.writeUInt32LE((lossless.readUInt32LE(21) | 0x0fffffff) >>> 0, 21);
    expect(await outcome(lossless)).toMatch(tooLarge);
    const lossy = fileOf('WebP lossy drawing');
    lossy.writeUInt16LE(0x3fff, 26);
    lossy.writeUInt16LE(0x3fff, 28);
    expect(await outcome(lossy)).toMatch(tooLarge);
    const animated = fileOf('WebP animated');
    animated.writeUIntLE(0xffffff, 24, 3);
    animated.writeUIntLE(0xffffff, 27, 3);
    expect(await outcome(animated)).toMatch(tooLarge);
    const alpha = fileOf('WebP lossy with alpha');
    const image = alpha.indexOf('VP8 ');
    alpha.writeUInt16LE(200, image + 14);
    alpha.writeUInt16LE(150, image + 16);
    expect(await outcome(alpha)).toMatch(tooLarge);
  });

  it('is refused by what a GIF says of its screen and of its first picture', async () => {
    const screen = fileOf('GIF photo');
    screen.writeUInt32LE(0xffffffff, 6);
    expect(await outcome(screen)).toMatch(tooLarge);
    const picture = fileOf('GIF photo');
    picture.writeUInt32LE(0xffffffff, picture.indexOf(0x2c, 13 + 3 * 256) + 5);
    expect(await outcome(picture)).toMatch(tooLarge);
  });

  it('is refused where the first picture of an animation does not fit its canvas', async () => {
    const animated = fileOf('WebP animated');
    animated.writeUIntLE(8, animated.indexOf('ANMF') + 8, 3);
    expect(await outcome(animated)).toContain('61 x 43 pixels, does not fit its canvas of 61 x 43');
  });
});

describe('what is said of other files', () => {
  it.each([
    ['an empty GIF', Buffer.from('GIF89a\x01\0\x01\0\0\0\0;', 'latin1'), 'it has no picture'],
    [
      'a GIF of blocks without end',
      Buffer.concat([
        Buffer.from('GIF89a\x01\0\x01\0\0\0\0', 'latin1'),
        Buffer.alloc(100_000, '!\xfe\x01x\0', 'latin1'),
      ]),
      'the file is cut short',
    ],
    ['a HEIC', Buffer.from('\0\0\0\x18ftypheic\0\0\0\0', 'latin1'), 'HEIC is not decoded'],
    ['an AVIF', Buffer.from('\0\0\0\x18ftypavif\0\0\0\0', 'latin1'), 'AVIF is not decoded'],
    ['a TIFF', Buffer.from('II*\0\0\0\0\0', 'latin1'), 'TIFF is not decoded'],
    ['a BMP', Buffer.from('BM\0\0\0\0\0\0', 'latin1'), 'BMP is not decoded'],
    ['a WebP of nothing', Buffer.from('RIFF\x04\0\0\0WEBP', 'latin1'), 'it has no picture'],
    ['a JPEG of 12 bits', Buffer.from('ffd8ffc1000b0c0010001001011100ffd9', 'hex'), 'its colours have 12 bits'],
    [
      'a lossless JPEG',
      Buffer.from('ffd8ffc3000b080010001001011100ffd9', 'hex'),
      'of a kind that is not decoded (SOF3',
    ],
  ])('%s', async (_, file, why) => {
    expect(await outcome(file)).toContain(why);
  });
});

/** An EXIF block of some entries; `little`: its byte order. */
function exifOf(
  little: boolean,
  entries: readonly (readonly [tag: number, type: number, count: number, value: number])[],
): Buffer {
  const block = Buffer.alloc(10 + 12 * entries.length);
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  block.write(little ? 'II' : 'MM', 'latin1');
  view.setUint16(2, 42, little);
  view.setUint32(4, 8, little);
  view.setUint16(8, entries.length, little);
  entries.forEach(([tag, type, count, value], i) => {
    const at = 10 + 12 * i;
    view.setUint16(at, tag, little);
    view.setUint16(at + 2, type, little);
    view.setUint32(at + 4, count, little);
    if (type === 3) view.setUint16(at + 8, value, little);
    else view.setUint32(at + 8, value, little);
  });
  return block;
}

describe('the orientation in an EXIF block', () => {
  const maker = [0x010f, 2, 4, 0] as const;

  it.each([true, false])('is read in either byte order (little: %s), behind its mark or without', (little) => {
    for (let value = 1; value <= 8; value++) {
      const block = exifOf(little, [maker, [0x0112, 3, 1, value]]);
      expect(orientationOf(block)).toBe(value);
      expect(orientationOf(Buffer.concat([Buffer.from('Exif\0\0'), block]))).toBe(value);
      expect(orientationOf(exifOf(little, [[0x0112, 4, 1, value]]))).toBe(value);
    }
  });

  it('is upright where it says nothing, or what it may not', () => {
    for (const block of [
      Buffer.alloc(0),
      Buffer.from('Exif\0\0'),
      Buffer.from('II*\0'),
      exifOf(true, [maker]),
      exifOf(true, [[0x0112, 3, 1, 0]]),
      exifOf(true, [[0x0112, 3, 1, 9]]),
      exifOf(true, [[0x0112, 3, 2, 6]]),
      exifOf(true, [[0x0112, 5, 1, 6]]),
      exifOf(true, [[0x0112, 4, 1, 0x80000006]]),
    ])
      expect(orientationOf(block)).toBe(1);
  });

  it('is never read beyond the block, nor does any block fail', () => {
    const block = exifOf(true, [maker, maker, [0x0112, 3, 1, 6]]);
    // What lies behind it would be read as an orientation wherever a reader went on.
    const behind = Buffer.concat(Array.from({ length: 40 }, () => exifOf(true, [[0x0112, 3, 1, 8]]).subarray(10)));
    fc.assert(
      fc.property(
        fc.nat(block.length),
        fc.array(fc.tuple(fc.nat(block.length - 1), fc.nat(255)), { maxLength: 4 }),
        (length, changes) => {
          const own = Buffer.from(block);
          for (const [at, byte] of changes) own[at] = byte;
          const alone = Uint8Array.from(own.subarray(0, length));
          const within = Buffer.concat([own.subarray(0, length), behind]).subarray(0, length);
          const said = orientationOf(alone);
          expect(said >= 1 && said <= 8).toBe(true);
          expect(orientationOf(within)).toBe(said);
        },
      ),
    );
  });

  it('of a segment that says it is longer than it is does not reach into the picture', async () => {
    const jpg = fileOf('JPEG of orientation 6');
    const segment = jpg.indexOf('Exif') - 4;
    const entries = jpg.indexOf('MM', segment) < 0 ? jpg.indexOf('II', segment) : jpg.indexOf('MM', segment);
    jpg.fill(0xff, entries + 4, entries + 8);
    expect(await outcome(jpg)).toBe('decoded');
    const { width, height } = await decodePicture(jpg, { maxPixels: 20_000, orientation: 'exif' }, 'it');
    expect([width, height]).toEqual([61, 43]);
  });
});
