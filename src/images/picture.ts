/** Pixels as red, green, blue and alpha bytes, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A file that was decoded. */
export interface DecodedFile {
  readonly picture: Picture;
  /** Its EXIF block (a TIFF file of its own, with or without `Exif` before it), a view of the file; undefined: it has none. */
  readonly exif: Uint8Array | undefined;
}

/** Refuses, before memory is taken for it, a picture without pixels or with more than `maxPixels`. */
export function checkSize(width: number, height: number, maxPixels: number): void {
  if (width === 0 || height === 0) throw new Error(`it is ${width} x ${height} pixels`);
  if (width * height > maxPixels)
    throw new Error(`it is ${width} x ${height} pixels, at most ${maxPixels} in all are taken`);
}
