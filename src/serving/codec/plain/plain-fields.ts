import { isUtf8 } from 'node:buffer';
import { ServingError, type TensorSpec } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { JsonScanner } from '../v2-rest/json-scanner.js';
import { type Column, isOneValue } from './column.js';
import type { PlainBody, PlainModel } from './plain-body.js';
import { PlainTable } from './plain-table.js';

const MOST_FIELDS = 65_536;
const AMPERSAND = 0x26;

/** Whether the text of an `application/x-www-form-urlencoded` body is fields (`a=1&b=2`), and not the JSON that `curl -d` says it is. */
export function isFieldsBody(body: Uint8Array): boolean {
  for (const byte of body) {
    if (byte === 0x3d) return true;
    // JSON with an equals sign has a blank, a quote or a brace before it, or begins with a bracket; names of fields do not.
    if (byte <= 0x20 || byte === 0x22 || byte === 0x7b || (byte === 0x5b && body[0] === byte)) return false;
  }
  return false;
}

/**
 * Reads `application/x-www-form-urlencoded` fields (WHATWG URL, 5.1), as HTML forms and `requests.post(data={...})` send them. A field is a
 * value of the input of its name, `[]` behind it left away: JSON, for strings its text. Several of an input whose rows are lists are the values of one
 * list, as for FastAPI's `Form()`; of others they are a batch, as is one whose name ends in `[]`. Throws as `decodePlainJson`.
 */
export function decodePlainFields(body: Uint8Array, spec: PlainModel): PlainBody {
  const table = new PlainTable(spec);
  let batch = false;
  for (const [field, values] of fieldsOf(body)) {
    const name = field.replace(/\[\]$/, '');
    const column = table.column(name);
    if (isOneList(values, column.spec)) {
      readWhole(new JsonScanner(Buffer.from(`[${values.map((value) => jsonOf(value, column.spec)).join()}]`)), column);
      continue;
    }
    batch ||= name !== field;
    for (const value of values) readWhole(fieldScanner(value, column.spec), column);
  }
  return table.body(batch || [...table.columns.values()].some(({ rows }) => rows > 1));
}

/** Whether values are those of one row, which is a list, and not rows themselves: arrays, or images in base64. */
function isOneList(values: readonly string[], spec: TensorSpec): boolean {
  if (spec.dims.length !== 1 || isOneValue(spec)) return false;
  if (spec.image !== undefined)
    return values.every((value) => /^\s*[-\d.]/.test(value) && !Number.isNaN(Number(value)));
  return values.every((value) => !/^\s*\[/.test(value));
}

/** The values of each name, in the order of their first fields. */
function fieldsOf(body: Uint8Array): ReadonlyMap<string, readonly string[]> {
  if (!isUtf8(body)) throw new ServingError('MALFORMED_REQUEST', 'the fields of the form are not valid UTF-8');
  let ends = 0;
  for (const byte of body) if (byte === AMPERSAND) ends++;
  if (ends >= MOST_FIELDS)
    throw new ServingError('MALFORMED_REQUEST', `expected at most ${MOST_FIELDS} fields, the form has ${ends + 1}`);
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
  const fields = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(text)) {
    const values = fields.get(name);
    if (values === undefined) fields.set(name, [value]);
    else values.push(value);
  }
  return fields;
}

function readWhole(scan: JsonScanner, column: Column): void {
  column.readRow(scan, column.rows === 0 ? '' : ` of row ${column.rows}`);
  scan.finish();
}

/** A field's text as a value: of strings, and of images in base64, the text stands for itself. */
export function fieldScanner(text: string, spec: TensorSpec): JsonScanner {
  return new JsonScanner(Buffer.from(jsonOf(text, spec)));
}

function jsonOf(text: string, { dataType, image }: TensorSpec): string {
  const itself = dataType === 'BYTES' || (image !== undefined && /^[A-Za-z+/]/.test(text));
  return itself ? JSON.stringify(text) : text;
}

/** The text of a field's bytes. Throws MALFORMED_REQUEST where they are none. */
export function fieldText(name: string, data: Uint8Array): string {
  if (!isUtf8(data)) throw new ServingError('MALFORMED_REQUEST', `field ${shown(name)}: its text is not valid UTF-8`);
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
}
