import { checkSize, type DecodedFile } from './picture.js';
import { decodeByWasm, type WasmCodec } from './wasm-codec.js';

/** libjpeg, as MozJPEG has it; Pillow's pixels to the bit. */
const LIBJPEG: WasmCodec = {
  wasm: '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm',
  load: () => import('@jsquash/jpeg/codec/dec/mozjpeg_dec.js'),
  // Orientation is seen to here, where it can be declined and reads nothing beyond its segment.
  more: [false],
  kept: true,
};

/** Most scans of a progressive JPEG: each costs a pass over the picture; encoders write some ten. */
const MOST_SCANS = 64;

export function isJpeg(bytes: Buffer): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8;
}

/** Rejects with what is wrong with it. Damage that libjpeg mends is mended; a file that ends early is refused, as by Pillow. */
export async function decodeJpeg(bytes: Buffer, maxPixels: number): Promise<DecodedFile> {
  const { width, height, components, exif } = checkedFrame(bytes, maxPixels);
  if (components === 4) return { picture: await fourColours(bytes, maxPixels), exif };
  const picture = await decodeByWasm(LIBJPEG, bytes, (said) => said.startsWith('Premature end of JPEG'));
  if (picture.width !== width || picture.height !== height) throw new Error('its sizes contradict each other');
  return { picture, exif };
}

/** CMYK and YCCK, which the other decoder does not turn into red, green and blue. */
async function fourColours(bytes: Buffer, maxPixels: number): Promise<DecodedFile['picture']> {
  const { default: jpeg } = await import('jpeg-js');
  const maxResolutionInMP = maxPixels / 1e6;
  const { width, height, data } = jpeg.decode(bytes, { useTArray: true, maxResolutionInMP, maxMemoryUsageInMB: 4096 });
  return { width, height, data };
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  readonly exif: Uint8Array | undefined;
}

/** Walks the segments for the frame, the number of scans and the EXIF block before the first. */
function checkedFrame(bytes: Buffer, maxPixels: number): Frame {
  let scans = 0;
  let exif: Buffer | undefined;
  let frame: Omit<Frame, 'exif'> | undefined;
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
    const end = at + 2 + Math.max(2, bytes.readUInt16BE(at + 2));
    if (isFrame(marker)) {
      if (frame !== undefined) throw new Error('it has more than one frame');
      frame = frameOf(bytes, at, marker);
      checkSize(frame.width, frame.height, maxPixels);
    }
    if (
      marker === 0xe1 &&
      scans === 0 &&
      exif === undefined &&
      bytes.toString('latin1', at + 4, at + 10) === 'Exif\0\0'
    )
      exif = bytes.subarray(at + 4, end);
    if (marker === 0xda && ++scans > MOST_SCANS) throw new Error(`it has more than ${MOST_SCANS} scans`);
    at = end;
  }
  if (frame === undefined) throw new Error('it has no frame');
  return { ...frame, exif };
}

/** SOF0 to SOF15 but DHT, JPG and DAC. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function frameOf(bytes: Buffer, at: number, marker: number): Omit<Frame, 'exif'> {
  const bits = bytes[at + 4] as number;
  // SOF0 to SOF2: baseline, extended and progressive, with Huffman codes.
  if (marker > 0xc2)
    throw new Error(`it is of a kind that is not decoded (SOF${marker - 0xc0}: lossless, arithmetic or hierarchical)`);
  if (bits !== 8) throw new Error(`its colours have ${bits} bits, 8 are decoded`);
  return { width: bytes.readUInt16BE(at + 7), height: bytes.readUInt16BE(at + 5), components: bytes[at + 9] as number };
}
