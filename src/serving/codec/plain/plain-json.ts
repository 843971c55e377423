import { isUtf8 } from 'node:buffer';
import { ServingError } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { shapeOfValue } from '../predict-rest/value-shape.js';
import { JsonScanner } from '../v2-rest/json-scanner.js';
import { isOneValue } from './column.js';
import type { PlainBody, PlainModel } from './plain-body.js';
import { onlyInput, PlainTable } from './plain-table.js';

const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;

/**
 * Reads an ordinary JSON body by what the model takes. An object `{input: value}` is one row; an array of such is a batch. For
 * a model that needs one input the value may stand for itself: nested as a row is (a single value where a row is one), it is
 * one row; nested once more, a batch. Images come as base64, a string or `{"b64": ...}`. Throws MALFORMED_REQUEST,
 * UNKNOWN_INPUT, MISSING_INPUT, SHAPE_MISMATCH, DATA_TYPE_MISMATCH, each naming the input, what was expected and what came.
 */
export function decodePlainJson(body: Uint8Array, spec: PlainModel): PlainBody {
  if (!isUtf8(body)) throw new ServingError('MALFORMED_REQUEST', 'the JSON text is not valid UTF-8');
  const scan = new JsonScanner(body);
  const table = new PlainTable(spec);
  const batch = readValue(scan, spec, table);
  scan.finish();
  return table.body(batch);
}

/** Returns whether it was a batch. */
function readValue(scan: JsonScanner, spec: PlainModel, table: PlainTable): boolean {
  const byte = scan.peek();
  const { at } = scan;
  if (at === scan.bytes.length) scan.fail('a JSON object or array');
  if (byte === OPEN_OBJECT && !isBytesObject(scan, spec)) {
    readObject(scan, table, 0, '');
    return false;
  }
  if (byte === OPEN_ARRAY) {
    scan.openArray('rows');
    if (scan.peek() === CLOSE_ARRAY) throw new ServingError('MALFORMED_REQUEST', 'the body has no rows');
    const named = scan.peek() === OPEN_OBJECT && !isBytesObject(scan, spec);
    scan.at = at;
    if (named) return readObjects(scan, table);
  }
  return readBare(scan, spec, table);
}

/** Whether the object ahead is `{"b64": ...}`, the value of an only input, and no row. */
function isBytesObject(scan: JsonScanner, { inputs }: PlainModel): boolean {
  const { at } = scan;
  scan.openObject('a row');
  const is = scan.key(true) === 'b64' && !inputs.some(({ name }) => name === 'b64');
  scan.at = at;
  return is;
}

function readObject(scan: JsonScanner, table: PlainTable, row: number, where: string): void {
  scan.openObject('a row');
  let inputs = 0;
  for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
    const column = table.column(key, where);
    if (column.rows > row) throw new ServingError('MALFORMED_REQUEST', `input ${shown(key)}${where} is given twice`);
    if (column.rows < row)
      throw new ServingError('MALFORMED_REQUEST', `input ${shown(key)}${where} is not in the rows before it`);
    column.readRow(scan, where);
    inputs++;
  }
  if (inputs === table.columns.size) return;
  const missing = [...table.columns.values()].find(({ rows }) => rows <= row)?.spec.name ?? '';
  throw new ServingError(
    'MISSING_INPUT',
    `input ${shown(missing)}${where} is missing; rows of one request have the same inputs`,
  );
}

function readObjects(scan: JsonScanner, table: PlainTable): true {
  scan.openArray('rows');
  for (let row = 0; scan.element(row === 0); row++) {
    if (scan.peek() !== OPEN_OBJECT) scan.fail(`an object as row ${row}, as the rows before are`);
    readObject(scan, table, row, ` of row ${row}`);
  }
  return true;
}

/** The value of the only input; returns whether it is a batch. */
function readBare(scan: JsonScanner, model: PlainModel, table: PlainTable): boolean {
  const spec = onlyInput(model);
  const column = table.column(spec.name);
  const levels = shapeOfValue(scan).length;
  // A list of images is one level deep, whatever the input's own shape is.
  const images = spec.image !== undefined && isTextAhead(scan);
  const levelsOfRow = images || (isOneValue(spec) && model.maxBatchSize > 0) ? 0 : spec.dims.length;
  const batch = model.maxBatchSize > 0 && levels > levelsOfRow;
  if (batch) column.readRows(scan);
  else column.readRow(scan, '');
  return batch;
}

/** Whether the value ahead is text or an object, or an array of such. */
function isTextAhead(scan: JsonScanner): boolean {
  const { at } = scan;
  if (scan.peek() === OPEN_ARRAY) scan.openArray('rows');
  const byte = scan.peek();
  scan.at = at;
  return byte === 0x22 || byte === OPEN_OBJECT;
}
