import { lzwIndices } from './lzw.js';
import { checkSize, type DecodedFile } from './picture.js';

export function isGif(bytes: Buffer): boolean {
  return /^GIF8[79]a$/.test(bytes.toString('latin1', 0, 6));
}

/** The rows of an interlaced picture: first row and step of each pass. */
const PASSES = [
  [0, 8],
  [4, 8],
  [2, 4],
  [1, 2],
] as const;

/** The first picture of a GIF, as Pillow has it; what follows is not looked at. Throws what is wrong with it. */
export function decodeGif(bytes: Buffer, maxPixels: number): DecodedFile {
  const file = new Reader(bytes);
  file.at = 6;
  const screen = { width: file.short(), height: file.short() };
  const screenFlags = file.byte();
  file.skip(2);
  const common = (screenFlags & 0x80) === 0 ? undefined : file.take(3 << ((screenFlags & 7) + 1));
  const transparent = skipExtensions(file);
  const x = file.short();
  const y = file.short();
  const frame = { width: file.short(), height: file.short() };
  const width = Math.max(screen.width, x + frame.width);
  const height = Math.max(screen.height, y + frame.height);
  checkSize(width, height, maxPixels);
  checkSize(frame.width, frame.height, maxPixels);
  const flags = file.byte();
  const palette = (flags & 0x80) === 0 ? common : file.take(3 << ((flags & 7) + 1));
  const codeBits = file.byte();
  const indices = lzwIndices(file.blocks(), codeBits, frame.width * frame.height);
  const colours = coloursOf(palette, transparent);
  const pixels = new Uint32Array(width * height).fill(colours[transparent ?? 0] as number);
  let from = 0;
  const putRow = (row: number): void => {
    const to = (y + row) * width + x;
    for (let i = 0; i < frame.width; i++) pixels[to + i] = colours[indices[from++] as number] as number;
  };
  if ((flags & 0x40) === 0) for (let row = 0; row < frame.height; row++) putRow(row);
  else for (const [first, step] of PASSES) for (let row = first; row < frame.height; row += step) putRow(row);
  return { picture: { width, height, data: new Uint8Array(pixels.buffer) }, exif: undefined };
}

/** Goes to behind the start of the first picture; returns the index that is transparent in it. */
function skipExtensions(file: Reader): number | undefined {
  let transparent: number | undefined;
  for (;;) {
    const kind = file.byte();
    if (kind === 0x2c) return transparent;
    if (kind === 0x3b) throw new Error('it has no picture');
    if (kind !== 0x21) continue;
    const control = file.byte() === 0xf9;
    const data = file.blocks();
    if (control && data.length >= 4) transparent = ((data[0] as number) & 1) === 0 ? undefined : (data[3] as number);
  }
}

/** The pixels, as the memory has them, that indices stand for; those beyond the palette are grey, as without one. */
function coloursOf(palette: Buffer | undefined, transparent: number | undefined): Uint32Array {
  const colours = new Uint8Array(256 * 4);
  for (let i = 0; i < 256; i++) {
    const given = palette !== undefined && 3 * i < palette.length;
    for (let c = 0; c < 3; c++) colours[4 * i + c] = given ? (palette[3 * i + c] as number) : i;
    colours[4 * i + 3] = i === transparent ? 0 : 255;
  }
  return new Uint32Array(colours.buffer);
}

/** Reads a file from front to back; throws where it ends. */
class Reader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(count: number): Buffer {
    if (this.at + count > this.#bytes.length) throw new Error('the file is cut short');
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  skip(count: number): void {
    this.take(count);
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  short(): number {
    return this.take(2).readUInt16LE();
  }

  /** The data of blocks up to the empty one. */
  blocks(): Buffer {
    const parts: Buffer[] = [];
    for (let length = this.byte(); length > 0; length = this.byte()) parts.push(this.take(length));
    return Buffer.concat(parts);
  }
}
