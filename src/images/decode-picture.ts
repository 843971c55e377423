import { ServingError } from '../core/index.js';
import { decodeGif, isGif } from './decode-gif.js';
import { decodeJpeg, isJpeg } from './decode-jpeg.js';
import { decodePng, isPng } from './decode-png.js';
import { decodeWebp, isWebp } from './decode-webp.js';
import { orientationOf, turned } from './orientation.js';
import type { DecodedFile, Picture } from './picture.js';

/** What of a file is looked at. */
export interface DecodeOptions {
  /** More pixels are refused before memory is taken for them. */
  readonly maxPixels: number;
  /** Whether its EXIF mark of orientation is followed. */
  readonly orientation: 'exif' | 'ignore';
}

interface Format {
  is(bytes: Buffer): boolean;
  decode(bytes: Buffer, maxPixels: number): DecodedFile | Promise<DecodedFile>;
}

const FORMATS: readonly Format[] = [
  { is: isJpeg, decode: decodeJpeg },
  { is: isPng, decode: decodePng },
  { is: isWebp, decode: decodeWebp },
  { is: isGif, decode: decodeGif },
];

/**
 * Decodes a PNG, JPEG, WebP or GIF file, told by its first bytes; of an animation its first picture. Rejects with MALFORMED_REQUEST
 * that begins with `what`. Takes some 10 to 15 bytes and 20 to 60 ns a pixel: not for a thread with sockets.
 */
export async function decodePicture(file: Uint8Array, options: DecodeOptions, what: string): Promise<Picture> {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const refuse = (why: string): never => {
    throw new ServingError('MALFORMED_REQUEST', `${what}: ${why}`);
  };
  if (bytes.length === 0) return refuse('expected a PNG, JPEG, WebP or GIF image, it is empty');
  const format = FORMATS.find(({ is }) => is(bytes));
  if (format === undefined)
    return refuse(
      `expected a PNG, JPEG, WebP or GIF image, it begins with the bytes ${bytes.toString('hex', 0, 8)}${otherFormat(bytes)}`,
    );
  try {
    const { picture, exif } = await format.decode(bytes, options.maxPixels);
    return options.orientation === 'ignore' || exif === undefined ? picture : turned(picture, orientationOf(exif));
  } catch (thrown) {
    return refuse(`the image cannot be decoded: ${(thrown as Error).message}`);
  }
}

/** What people send beside, so that they see why it is not taken. */
function otherFormat(bytes: Buffer): string {
  const brand = bytes.toString('latin1', 4, 12);
  if (/^ftyp(?:heic|heix|hevc|mif1|msf1)/.test(brand)) return ' (HEIC is not decoded)';
  if (/^ftypavi[fs]/.test(brand)) return ' (AVIF is not decoded)';
  if (/^(?:II\*\0|MM\0\*)/.test(bytes.toString('latin1', 0, 4))) return ' (TIFF is not decoded)';
  return /^BM/.test(bytes.toString('latin1', 0, 2)) ? ' (BMP is not decoded)' : '';
}
