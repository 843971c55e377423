import { checkSize, type DecodedFile, type Picture } from './picture.js';
import { decodeByWasm, type WasmCodec } from './wasm-codec.js';

/** libwebp. A fresh instance each picture: nothing of a file outlives it. */
const LIBWEBP: WasmCodec = {
  wasm: '@jsquash/webp/codec/dec/webp_dec.wasm',
  load: () => import('@jsquash/webp/codec/dec/webp_dec.js'),
  more: [],
  kept: false,
};

export function isWebp(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP';
}

interface Chunk {
  readonly type: string;
  readonly data: Buffer;
  /** With its header and filling. */
  readonly whole: Buffer;
}

/** Of an animation its first picture, on a canvas without colour. Rejects with what is wrong with it. */
export async function decodeWebp(bytes: Buffer, maxPixels: number): Promise<DecodedFile> {
  if (bytes.length < 12 || bytes.readUInt32LE(4) + 8 > bytes.length) throw new Error('the file is cut short');
  const chunks = chunksOf(bytes.subarray(12, bytes.readUInt32LE(4) + 8));
  const exif = chunks.find(({ type }) => type === 'EXIF')?.data;
  const canvas = canvasOf(chunks);
  if (canvas !== undefined) checkSize(canvas.width, canvas.height, maxPixels);
  const animated = canvas?.animated === true;
  const frame = animated ? frameOf(chunks, canvas) : { chunks, x: 0, y: 0 };
  const image = imageOf(frame.chunks);
  const { width, height } = sizeOf(image);
  checkSize(width, height, maxPixels);
  const size = animated ? canvas : { width, height };
  if (frame.x + width > size.width || frame.y + height > size.height)
    throw new Error(
      `its first picture, ${width} x ${height} pixels, does not fit its canvas of ${size.width} x ${size.height}`,
    );
  const picture = await decodeByWasm(LIBWEBP, stillOf(frame.chunks, image, width, height), () => false);
  if (picture.width !== width || picture.height !== height) throw new Error('its sizes contradict each other');
  return { picture: placed(picture, frame, size), exif };
}

function chunksOf(bytes: Buffer): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4);
    if (at + 8 + length > bytes.length) throw new Error('the file is cut short');
    const end = at + 8 + length + (length % 2);
    chunks.push({
      type: bytes.toString('latin1', at, at + 4),
      data: bytes.subarray(at + 8, at + 8 + length),
      whole: bytes.subarray(at, end),
    });
    at = end;
  }
  return chunks;
}

function canvasOf(chunks: readonly Chunk[]): { width: number; height: number; animated: boolean } | undefined {
  const [first] = chunks;
  if (first?.type !== 'VP8X') return undefined;
  if (first.data.length < 10) throw new Error('its header is cut short');
  const { data } = first;
  return {
    width: data.readUIntLE(4, 3) + 1,
    height: data.readUIntLE(7, 3) + 1,
    animated: ((data[0] as number) & 0x02) !== 0,
  };
}

/** The first picture of an animation. */
function frameOf(
  chunks: readonly Chunk[],
  canvas: { width: number; height: number },
): { chunks: Chunk[]; x: number; y: number } {
  const data = chunks.find(({ type }) => type === 'ANMF')?.data;
  if (data === undefined || data.length < 16)
    throw new Error(`it is an animation of ${canvas.width} x ${canvas.height} pixels without a picture`);
  return { chunks: chunksOf(data.subarray(16)), x: 2 * data.readUIntLE(0, 3), y: 2 * data.readUIntLE(3, 3) };
}

function imageOf(chunks: readonly Chunk[]): Chunk {
  const image = chunks.find(({ type }) => type === 'VP8 ' || type === 'VP8L');
  if (image === undefined) throw new Error('it has no picture');
  return image;
}

/** The size that the image data itself says (RFC 6386, 9.1; WebP Lossless, 3). */
function sizeOf({ type, data }: Chunk): { width: number; height: number } {
  if (data.length < 10) throw new Error('the file is cut short');
  if (type === 'VP8 ') {
    if (data.readUIntBE(3, 3) !== 0x9d012a) throw new Error('its picture has no start');
    return { width: data.readUInt16LE(6) & 0x3fff, height: data.readUInt16LE(8) & 0x3fff };
  }
  if (data[0] !== 0x2f) throw new Error('its picture has no start');
  const bits = data.readUInt32LE(1);
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
}

/** A file of one picture and its alpha, and of nothing else of the file. */
function stillOf(chunks: readonly Chunk[], image: Chunk, width: number, height: number): Buffer {
  const alpha = image.type === 'VP8 ' ? chunks.find(({ type }) => type === 'ALPH') : undefined;
  const parts: Buffer[] = [];
  if (alpha !== undefined) {
    const head = Buffer.alloc(18);
    head.write('VP8X', 'latin1');
    head.writeUInt32LE(10, 4);
    head[8] = 0x10;
    head.writeUIntLE(width - 1, 12, 3);
    head.writeUIntLE(height - 1, 15, 3);
    parts.push(head, alpha.whole);
  }
  parts.push(image.whole);
  // The last chunk of a file may lack its filling.
  if (image.whole.length % 2 === 1) parts.push(Buffer.alloc(1));
  const body = Buffer.concat(parts);
  const head = Buffer.from('RIFF____WEBP', 'latin1');
  head.writeUInt32LE(body.length + 4, 4);
  return Buffer.concat([head, body]);
}

function placed(
  picture: Picture,
  { x, y }: { x: number; y: number },
  size: { width: number; height: number },
): Picture {
  if (picture.width === size.width && picture.height === size.height) return picture;
  const data = new Uint8Array(4 * size.width * size.height);
  const rowBytes = 4 * picture.width;
  for (let row = 0; row < picture.height; row++)
    data.set(picture.data.subarray(row * rowBytes, (row + 1) * rowBytes), 4 * ((y + row) * size.width + x));
  return { width: size.width, height: size.height, data };
}
