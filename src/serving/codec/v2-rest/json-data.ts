import { DATA_TYPES, elementCount, type JsonForm, ServingError } from '../../../core/index.js';
import { BooleanSink } from './boolean-sink.js';
import { type ElementSink, readRow, type SinkRequest } from './element-sink.js';
import { readFloatAlone } from './float-element.js';
import { readIntegerAlone } from './integer-element.js';
import type { JsonScanner } from './json-scanner.js';
import { NumberSink } from './number-sink.js';
import { StringSink } from './string-sink.js';

const OPEN_ARRAY = 0x5b;

/** By JSON form: what takes the elements, and the fewest bytes any element takes in JSON with its comma. */
const FORMS = {
  boolean: { fewestBytes: 2, open: (request) => new BooleanSink(request) },
  integer: { fewestBytes: 2, open: (request) => new NumberSink(request, readIntegerAlone) },
  integer64: { fewestBytes: 2, open: (request) => new NumberSink(request, readIntegerAlone) },
  float: { fewestBytes: 2, open: (request) => new NumberSink(request, readFloatAlone) },
  string: { fewestBytes: 2, open: (request) => new StringSink(request) },
  none: {
    fewestBytes: 0,
    open: ({ label, dataType }) => {
      throw new ServingError(
        'DATA_TYPE_MISMATCH',
        `${label}: ${dataType} has no JSON form; send it as binary data (parameters.binary_data_size)`,
      );
    },
  },
} as const satisfies Record<JsonForm, { fewestBytes: number; open: (request: SinkRequest) => ElementSink }>;

/**
 * Reads the `data` the scanner stands at, flat row-major or nested as the shape has it, and gives the tensor's bytes (its
 * own memory). `request.count` is the shape's element count. Throws `SHAPE_MISMATCH` where rows are ragged or their
 * number is another than the shape's, `DATA_TYPE_MISMATCH` where an element does not fit. The memory it takes is bounded
 * by the length of the body: a shape that the rest of the body cannot fill is refused before anything is allocated.
 */
export function readJsonData(scan: JsonScanner, request: SinkRequest, shape: readonly number[]): Uint8Array {
  const sink = openJsonRows(scan, request, shape);
  readJsonArray(scan, sink, request, shape, 0);
  return sink.bytes();
}

/** What takes the elements of a tensor that is read row by row (`readJsonRow`). Throws as `readJsonData` for what no body can fill. */
export function openJsonRows(scan: JsonScanner, request: SinkRequest, shape: readonly number[]): ElementSink {
  const form = FORMS[DATA_TYPES[request.dataType].json];
  if (request.count * form.fewestBytes > scan.bytes.length - scan.at + 1) {
    throw new ServingError(
      'SHAPE_MISMATCH',
      `${request.label}: shape [${shape}] has ${request.count} elements, more than the body holds`,
    );
  }
  return form.open(request);
}

/** Reads one row of this shape, nested as it says, whose first element is element `from` of the tensor; one element where it is a scalar. */
export function readJsonRow(
  scan: JsonScanner,
  sink: ElementSink,
  request: SinkRequest,
  shape: readonly number[],
  from: number,
): void {
  if (shape.length > 0) readJsonArray(scan, sink, request, shape, from);
  else if (sink.readRun(scan, from, 0, 1) === 0) scan.fail('a value');
}

function readJsonArray(
  scan: JsonScanner,
  sink: ElementSink,
  request: SinkRequest,
  shape: readonly number[],
  from: number,
): void {
  scan.openArray('data');
  if (shape.length > 1 && scan.peek() === OPEN_ARRAY) readNested(scan, sink, request, shape, 0, from);
  else readFlat(scan, sink, request, shape, from, elementCount(shape));
}

/** Reads what follows the `[` of dimension `axis`; the elements start at `from`. Returns the index after the last. */
function readNested(
  scan: JsonScanner,
  sink: ElementSink,
  request: SinkRequest,
  shape: readonly number[],
  axis: number,
  from: number,
): number {
  const size = shape[axis] as number;
  if (axis === shape.length - 1) return readFlat(scan, sink, request, shape, from, size);
  let next = from;
  const rowLength = axis === shape.length - 2 ? (shape[axis + 1] as number) : 0;
  for (let i = 0; i < size; ) {
    const rows = sink.readRows(scan, next, size - i, rowLength, i > 0);
    next += rows * rowLength;
    i += rows;
    if (rows > 0) continue;
    if (!scan.element(i === 0)) return refuseCount(request, shape, axis, size, `${i}`);
    scan.openArray('a row of data');
    next = readNested(scan, sink, request, shape, axis + 1, next);
    i++;
  }
  if (scan.element(size === 0)) refuseCount(request, shape, axis, size, 'more');
  return next;
}

function readFlat(
  scan: JsonScanner,
  sink: ElementSink,
  request: SinkRequest,
  shape: readonly number[],
  from: number,
  count: number,
): number {
  const came = readRow(sink, scan, from, count);
  const axis = count === request.count ? undefined : shape.length - 1;
  if (came < count) refuseCount(request, shape, axis, count, `${came}`);
  if (scan.element(count === 0)) refuseCount(request, shape, axis, count, 'more');
  return from + count;
}

function refuseCount(
  request: SinkRequest,
  shape: readonly number[],
  axis: number | undefined,
  expected: number,
  came: string,
): never {
  const where = axis === undefined ? 'its data' : `its data along dimension ${axis}`;
  throw new ServingError(
    'SHAPE_MISMATCH',
    `${request.label}: shape [${shape}] expects ${expected} elements in ${where}, came ${came}`,
  );
}
