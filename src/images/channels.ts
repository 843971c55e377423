import { IMAGE_COLORS, type ImageColor } from '../core/index.js';
import type { Picture } from './picture.js';

/** Bytes of a picture, `channels` a pixel, row by row. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** Where each channel of a colour lies in a pixel of red, green, blue and alpha. */
const ORDERS: Readonly<Record<Exclude<ImageColor, 'gray'>, readonly number[]>> = {
  rgb: [0, 1, 2],
  bgr: [2, 1, 0],
  rgba: [0, 1, 2, 3],
};

/** The channels that a model takes of a picture. Alpha is dropped where it is not asked for; grey is ITU-R 601, as Pillow's `L`. */
export function channelsOf({ width, height, data }: Picture, color: ImageColor): Plane {
  const channels = IMAGE_COLORS[color];
  if (color === 'rgba') return { width, height, channels, data };
  const out = new Uint8Array(width * height * channels);
  if (color === 'gray') {
    for (let i = 0, at = 0; i < out.length; i++, at += 4)
      out[i] =
        ((data[at] as number) * 19595 + (data[at + 1] as number) * 38470 + (data[at + 2] as number) * 7471 + 0x8000) >>
        16;
    return { width, height, channels, data: out };
  }
  const [first = 0, second = 0, third = 0] = ORDERS[color];
  for (let i = 0, at = 0; i < out.length; i += 3, at += 4) {
    out[i] = data[at + first] as number;
    out[i + 1] = data[at + second] as number;
    out[i + 2] = data[at + third] as number;
  }
  return { width, height, channels, data: out };
}

/** A picture laid over a colour, as Pillow's `paste` with its alpha as mask. Its own bytes where it has no alpha, or no colour is given. */
export function onBackground(picture: Picture, background: readonly number[] | undefined): Picture {
  if (background === undefined) return picture;
  const { width, height } = picture;
  const data = new Uint8Array(picture.data);
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3] as number;
    if (alpha === 255) continue;
    for (let c = 0; c < 3; c++) {
      const sum = (data[at + c] as number) * alpha + (background[c] as number) * (255 - alpha) + 128;
      data[at + c] = ((sum >> 8) + sum) >> 8;
    }
    data[at + 3] = 255;
  }
  return { width, height, data };
}
