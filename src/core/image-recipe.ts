import type { DataType } from './data-type.js';

/** How sampling weighs the pixels of a picture that is resized, as Pillow has them; `area` as OpenCV's INTER_AREA. */
export const IMAGE_FILTERS = ['nearest', 'box', 'bilinear', 'bicubic', 'lanczos', 'area'] as const;
export type ImageFilter = (typeof IMAGE_FILTERS)[number];

/**
 * How a picture gets the size that a model takes. `none`: it comes in that size. `stretch`: both sides to the target.
 * `shorter_side`: the shorter side to `shorterSide`, the longer in proportion, then the centre is cut out. `fit`: the whole
 * picture in proportion, centred on `fill`.
 */
export const IMAGE_SIZINGS = ['none', 'stretch', 'shorter_side', 'fit'] as const;
export type ImageSizing = (typeof IMAGE_SIZINGS)[number];

/** Channels of a pixel, in the order they are given in. */
export const IMAGE_COLORS = { rgb: 3, bgr: 3, rgba: 4, gray: 1 } as const;
export type ImageColor = keyof typeof IMAGE_COLORS;

/** Whether a picture is turned as its EXIF mark says: as people see it; or as its pixels lie in the file. */
export const IMAGE_ORIENTATIONS = ['exif', 'ignore'] as const;
export type ImageOrientation = (typeof IMAGE_ORIENTATIONS)[number];

/** How a picture becomes the elements of an input: a channel's value is (byte * scale - mean) / std. Plain data. */
export interface ImageRecipe {
  readonly orientation: ImageOrientation;
  readonly sizing: ImageSizing;
  /** Size that the model takes; undefined with `none`: the picture's own. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  /** With `shorter_side`: pixels of it before the cut. */
  readonly shorterSide: number;
  readonly filter: ImageFilter;
  /** Whether the filter grows with what it shrinks (Pillow, torchvision); false: it looks at its nearest pixels, as OpenCV's. */
  readonly antialias: boolean;
  readonly color: ImageColor;
  /** Red, green and blue, 0 to 255, that lie behind what is transparent; undefined: alpha is dropped. Not with rgba. */
  readonly background: readonly number[] | undefined;
  /** Order of the axes: channels, height, width; or height, width, channels. */
  readonly layout: 'chw' | 'hwc';
  readonly scale: number;
  /** One a channel. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Byte of what `fit` leaves empty. */
  readonly fill: number;
  /** More of them are refused before they are decoded. */
  readonly maxPixels: number;
  /** Shape of one picture, less the batch axis; undefined: channels, height and width in the layout's order. */
  readonly shape: readonly number[] | undefined;
}

/** Where the file of one picture lies in a body. */
export interface PicturePlace {
  readonly start: number;
  readonly bytes: number;
}

/** Pictures that are to become one tensor, in the order of its rows. */
export interface PictureBatch {
  /** Name of the input, for messages. */
  readonly input: string;
  readonly dataType: DataType;
  readonly recipe: ImageRecipe;
  readonly body: Uint8Array;
  readonly places: readonly PicturePlace[];
}

/** Their tensor: `shape` is that of one of them, all are the same; `data` has all, one after the other. */
export interface PictureRows {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}
