import type { Picture } from './picture.js';

const TAG = 0x0112;
/** Bytes of a value by its TIFF type: byte, short, long. */
const VALUE_BYTES: Readonly<Record<number, 1 | 2 | 4>> = { 1: 1, 3: 2, 4: 4 };
const ENTRY_BYTES = 12;

/**
 * The orientation, 1 to 8, that an EXIF block says; 1, upright, where it says none or is broken. Reads the entries of its first
 * directory and nothing outside the block. EXIF 2.32, 4.6.4: tag 0x0112.
 */
export function orientationOf(exif: Uint8Array): number {
  const marked = exif.length >= 6 && Buffer.from(exif.buffer, exif.byteOffset, 6).toString('latin1') === 'Exif\0\0';
  const tiff = marked ? exif.subarray(6) : exif;
  if (tiff.length < 8) return 1;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return 1;
  const little = order === 0x4949;
  if (view.getUint16(2, little) !== 42) return 1;
  const directory = view.getUint32(4, little);
  if (directory + 2 > tiff.length) return 1;
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + i * ENTRY_BYTES;
    if (at + ENTRY_BYTES > tiff.length) return 1;
    if (view.getUint16(at, little) !== TAG) continue;
    const bytes = VALUE_BYTES[view.getUint16(at + 2, little)];
    if (bytes === undefined || view.getUint32(at + 4, little) !== 1) return 1;
    const value =
      bytes === 1
        ? view.getUint8(at + 8)
        : bytes === 2
          ? view.getUint16(at + 8, little)
          : view.getUint32(at + 8, little);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/** Where the first pixel of a turned picture lies in its file's pixels, and the steps to its right and lower neighbours. */
type Walk = (width: number, height: number) => readonly [first: number, right: number, down: number];

const WALKS: readonly Walk[] = [
  (w) => [0, 1, w],
  (w) => [w - 1, -1, w],
  (w, h) => [w * h - 1, -1, -w],
  (w, h) => [w * (h - 1), 1, -w],
  (w) => [0, w, 1],
  (w, h) => [w * (h - 1), -w, 1],
  (w, h) => [w * h - 1, -w, -1],
  (w) => [w - 1, w, -1],
];

/** A picture as it is to be seen: mirrored and turned by its orientation, 1 to 8, as Pillow's `exif_transpose` does. */
export function turned(picture: Picture, orientation: number): Picture {
  const walk = WALKS[orientation - 1];
  if (walk === undefined || orientation === 1) return picture;
  const { width, height, data } = picture;
  const [first, right, down] = walk(width, height);
  const lying = orientation > 4;
  const size = lying ? { width: height, height: width } : { width, height };
  const from = new Uint32Array(
    data.byteOffset % 4 === 0 ? data.buffer : data.slice().buffer,
    data.byteOffset % 4 === 0 ? data.byteOffset : 0,
    width * height,
  );
  const to = new Uint32Array(width * height);
  let at = 0;
  for (let y = 0; y < size.height; y++)
    for (let x = 0, pixel = first + y * down; x < size.width; x++, pixel += right) to[at++] = from[pixel] as number;
  return { ...size, data: new Uint8Array(to.buffer) };
}
