import { inflateSync } from 'node:zlib';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { ServingError } from '../core/index.js';

/** Pixels as red, green, blue and alpha bytes, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Most scans of a progressive JPEG: each costs a pass over the picture; encoders write some ten. */
const MOST_SCANS = 64;

/**
 * Decodes a PNG or JPEG file, told by its first bytes. Its size is read first: a picture of more than `maxPixels` is refused
 * before memory is taken for it. Memory then taken is some 40 bytes a pixel (PNG: 10). Throws MALFORMED_REQUEST that begins
 * with `what`. Takes some 50 to 150 ns a pixel: not for a thread with sockets.
 */
export function decodePicture(file: Uint8Array, maxPixels: number, what: string): Picture {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const refuse = (why: string): never => {
    throw new ServingError('MALFORMED_REQUEST', `${what}: ${why}`);
  };
  if (bytes.length === 0) return refuse('expected a PNG or JPEG image, it is empty');
  try {
    if (PNG_MAGIC.equals(bytes.subarray(0, 8))) return png(bytes, maxPixels);
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpg(bytes, maxPixels);
  } catch (thrown) {
    return refuse(`the image cannot be decoded: ${(thrown as Error).message}`);
  }
  return refuse(`expected a PNG or JPEG image, it begins with the bytes ${bytes.toString('hex', 0, 8)}`);
}

const PNG_MAGIC = Buffer.from('89504e470d0a1a0a', 'hex');

function png(bytes: Buffer, maxPixels: number): Picture {
  if (bytes.length < 33) throw new Error('the file is cut short');
  const width = bytes.readUInt32BE(16);
  const height = bytes.readUInt32BE(20);
  checkSize(width, height, maxPixels);
  const pixels = pixelChunks(bytes);
  if (bytes[28] === 1) checkInterlaced(pixels, width, height);
  const { data } = PNG.sync.read(bytes);
  return { width, height, data };
}

/** The chunks of pixels; throws where the file ends before its end. */
function pixelChunks(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (type === 'IEND') return parts;
    if (type === 'IDAT') parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  throw new Error('the file is cut short');
}

/** The library inflates an interlaced picture without a bound: what it would take is looked at first. */
function checkInterlaced(parts: readonly Buffer[], width: number, height: number): void {
  // 8 bytes a pixel at most, and the seven passes have a filter byte for each of their rows.
  inflateSync(Buffer.concat(parts), { maxOutputLength: 8 * width * height + 7 * (width + height) + 64 });
}

function jpg(bytes: Buffer, maxPixels: number): Picture {
  checkFrame(bytes, maxPixels);
  const maxResolutionInMP = maxPixels / 1e6;
  const decoded = jpeg.decode(bytes, { useTArray: true, maxResolutionInMP, maxMemoryUsageInMB: 4096 });
  return { width: decoded.width, height: decoded.height, data: decoded.data };
}

/** Walks the segments for the size of the frame and the number of scans. */
function checkFrame(bytes: Buffer, maxPixels: number): void {
  let scans = 0;
  let frames = 0;
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) {
      at = bytes.indexOf(0xff, at);
      if (at < 0) break;
      continue;
    }
    const marker = bytes[at + 1] as number;
    // Filling, data, restart marks and marks without a length.
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2;
      continue;
    }
    // Behind the end, cameras put further pictures.
    if (marker === 0xd9) break;
    if (isFrame(marker)) {
      frames++;
      checkSize(bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5), maxPixels);
    }
    if (marker === 0xda && ++scans > MOST_SCANS) throw new Error(`it has more than ${MOST_SCANS} scans`);
    at += 2 + Math.max(2, bytes.readUInt16BE(at + 2));
  }
  if (frames !== 1) throw new Error(frames === 0 ? 'it has no frame' : 'it has more than one frame');
}

/** SOF0 to SOF15 but DHT, JPG and DAC. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function checkSize(width: number, height: number, maxPixels: number): void {
  if (width === 0 || height === 0) throw new Error(`it is ${width} x ${height} pixels`);
  if (width * height > maxPixels)
    throw new Error(`it is ${width} x ${height} pixels, at most ${maxPixels} in all are taken`);
}
