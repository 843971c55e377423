import { type DataType, ServingError } from '../../../core/index.js';
import { shown, type TensorLabel } from '../checked-tensor.js';
import type { JsonScanner } from './json-scanner.js';

/** Takes the elements of one input's JSON `data` into the bytes of a tensor. */
export interface ElementSink {
  /** Elements that it reads best at a time. */
  readonly runElements: number;
  /**
   * Reads elements `begin` to `end` of the row whose first is element `from` of the tensor, and the commas between them (for
   * `begin` above 0 the one before, too); the scanner stands after the row's `[` or its last element. Returns `end`, the
   * scanner left before what follows, or how many elements the row had where it ended before, the scanner left after its `]`.
   */
  readRun(scan: JsonScanner, from: number, begin: number, end: number): number;
  /**
   * Reads whole rows of `rowLength` elements, with their `[` and `]`, of the `rows` that are left of their array, the first after a
   * `comma` or not; element `from` is the first. Returns how many it read, the scanner left behind them: 0 where the next
   * is to be read by `readRun` (always, where `rowLength` is 0).
   */
  readRows(scan: JsonScanner, from: number, rows: number, rowLength: number, comma: boolean): number;
  /** The tensor's bytes; shared with nothing. */
  bytes(): Uint8Array;
}

export interface SinkRequest {
  readonly label: TensorLabel;
  readonly dataType: DataType;
  readonly count: number;
  readonly allowNan: boolean;
  /** Whether BYTES elements may be `{"b64": ...}` as well; default false. */
  readonly base64?: boolean;
}

/** A sink's `readRun` by way of `one`, which takes the element that begins with `byte`, where the scanner stands. */
export function readEach(
  scan: JsonScanner,
  from: number,
  begin: number,
  end: number,
  one: (scan: JsonScanner, index: number, byte: number) => void,
): number {
  for (let i = begin; i < end; i++) {
    if (!scan.element(i === 0)) return i;
    one(scan, from + i, scan.peek());
  }
  return end;
}

/**
 * Elements of one run of `readEach`. The engine makes its best of functions that are called often: in one that is called once and
 * loops long it compiles the loop only, from what it has seen by then, and falls out of that code at the end of every call.
 */
export const RUN_ELEMENTS = 512;

/** Reads a row of `count` elements whose `[` is taken; returns how many came, `count` at most, as `readRun` does. */
export function readRow(sink: ElementSink, scan: JsonScanner, from: number, count: number): number {
  const { runElements } = sink;
  for (let begin = 0; begin < count; begin += runElements) {
    const end = Math.min(begin + runElements, count);
    const came = sink.readRun(scan, from, begin, end);
    if (came < end) return came;
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
