import { type DataType, ServingError } from '../../../core/index.js';
import { shown, type TensorLabel } from '../checked-tensor.js';
import type { JsonScanner } from './json-scanner.js';

/** Takes the elements of one input's JSON `data` into the bytes of a tensor. */
export interface ElementSink {
  /**
   * Reads elements `from` to `from + count` and the commas between them; the scanner stands after `[`. Returns how many
   * came: `count`, the scanner left before what follows, or fewer where the row ended, the scanner left after its `]`.
   */
  readRow(scan: JsonScanner, from: number, count: number): number;
  /** The tensor's bytes; shared with nothing. */
  bytes(): Uint8Array;
}

export interface SinkRequest {
  readonly label: TensorLabel;
  readonly dataType: DataType;
  readonly count: number;
  readonly allowNan: boolean;
}

/** Reads a row through `one`, which takes the element that begins with `byte`, where the scanner stands. */
export function readRow(
  scan: JsonScanner,
  from: number,
  count: number,
  one: (scan: JsonScanner, index: number, byte: number) => void,
): number {
  for (let i = 0; i < count; i++) {
    if (!scan.element(i === 0)) return i;
    one(scan, from + i, scan.peek());
  }
  return count;
}

/** Throws: element `index` is valid JSON perhaps, but no element of this data type. */
export function refuseElement(
  scan: JsonScanner,
  request: SinkRequest,
  index: number,
  start: number,
  expected: string,
): never {
  scan.at = start;
  scan.skip();
  const came = shown(scan.text(start, Math.min(scan.at, start + 80)));
  throw new ServingError(
    'DATA_TYPE_MISMATCH',
    `${request.label}: element ${index} must be ${expected} for ${request.dataType}, came ${came}`,
  );
}
