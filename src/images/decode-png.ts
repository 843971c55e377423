import { inflateSync } from 'node:zlib';
import { PNG } from 'pngjs';
import { checkSize, type DecodedFile } from './picture.js';

const MAGIC = Buffer.from('89504e470d0a1a0a', 'hex');

export function isPng(bytes: Buffer): boolean {
  return MAGIC.equals(bytes.subarray(0, 8));
}

/** Throws what is wrong with it. */
export function decodePng(bytes: Buffer, maxPixels: number): DecodedFile {
  if (bytes.length < 33) throw new Error('the file is cut short');
  const width = bytes.readUInt32BE(16);
  const height = bytes.readUInt32BE(20);
  checkSize(width, height, maxPixels);
  const { pixels, exif, transparent } = chunksOf(bytes);
  if (bytes[28] === 1) checkInterlaced(pixels, width, height);
  const wide = bytes[24] === 16;
  const { data } = PNG.sync.read(bytes, { skipRescale: wide });
  const picture = { width, height, data: wide ? highBytes(data) : data };
  if (transparent !== undefined) recolour(picture.data, transparentColour(transparent, bytes));
  return { picture, exif };
}

/** Of colours of 16 bits, as Pillow takes them of red, green and blue. */
function highBytes(data: Uint8Array): Uint8Array {
  const values = data as unknown as Uint16Array;
  return Uint8Array.from(values, (value) => value >> 8);
}

interface Chunks {
  readonly pixels: readonly Buffer[];
  readonly exif: Buffer | undefined;
  /** The colour that is transparent, of a picture that is neither of a palette nor has alpha. */
  readonly transparent: Buffer | undefined;
}

/** The chunks that are looked at here; throws where the file ends before its end. */
function chunksOf(bytes: Buffer): Chunks {
  const pixels: Buffer[] = [];
  let exif: Buffer | undefined;
  let transparent: Buffer | undefined;
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (type === 'IEND') return { pixels, exif, transparent };
    const chunk = bytes.subarray(at + 8, at + 8 + length);
    if (type === 'IDAT') pixels.push(chunk);
    if (type === 'eXIf') exif ??= chunk;
    if (type === 'tRNS' && (bytes[25] === 0 || bytes[25] === 2)) transparent = chunk;
    at += 12 + length;
  }
  throw new Error('the file is cut short');
}

/** The library inflates an interlaced picture without a bound: what it would take is looked at first. */
function checkInterlaced(parts: readonly Buffer[], width: number, height: number): void {
  // 8 bytes a pixel at most, and the seven passes have a filter byte for each of their rows.
  inflateSync(Buffer.concat(parts), { maxOutputLength: 8 * width * height + 7 * (width + height) + 64 });
}

/** The red, green and blue of the transparent colour, as 8 bits. */
function transparentColour(chunk: Buffer, bytes: Buffer): readonly number[] {
  const depth = bytes[24] as number;
  const channels = bytes[25] === 0 ? [0, 0, 0] : [0, 2, 4];
  if (chunk.length < (channels[2] as number) + 2) throw new Error('its transparent colour is cut short');
  const of = (value: number): number =>
    depth === 16 ? value >> 8 : Math.round((value * 255) / (2 ** depth - 1)) & 255;
  return channels.map((at) => of(chunk.readUInt16BE(at)));
}

/** The library makes transparent pixels black; they keep their colour, for models that take no alpha. */
function recolour(data: Uint8Array, colour: readonly number[]): void {
  for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 0) data.set(colour, at);
}
