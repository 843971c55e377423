import { type PicturePlace, ServingError, type Tensor, type TensorSpec } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { readTensorValue } from '../predict-rest/tensor-value.js';
import type { JsonScanner } from '../v2-rest/json-scanner.js';
import type { PlainPictures } from './plain-body.js';

const OPEN_OBJECT = 0x7b;
const QUOTE = 0x22;

/** Whether a row of an input is one value, so that it may stand without brackets. */
export function isOneValue({ dims }: TensorSpec): boolean {
  return dims.length === 0 || (dims.length === 1 && dims[0] === 1);
}

/** The values of one input, gathered row by row. */
export class Column {
  readonly spec: TensorSpec;
  /** Of a row. */
  #shape: readonly number[] | undefined;
  readonly #chunks: Uint8Array[] = [];
  readonly #places: PicturePlace[] = [];
  #bytes = 0;
  #rows = 0;

  constructor(spec: TensorSpec) {
    this.spec = spec;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Reads the value of one row where the scanner stands. `where`: for messages, ` of row 3` or nothing. */
  readRow(scan: JsonScanner, where: string): void {
    const byte = scan.peek();
    if (scan.at === scan.bytes.length) scan.fail(`a value (${this.#named(where)})`);
    if (this.spec.image !== undefined && (byte === QUOTE || byte === OPEN_OBJECT)) {
      this.addPicture(readBase64(scan, this.#named(where)));
      return;
    }
    const { shape, data } = readTensorValue(scan, this.spec);
    this.#add(this.#rowOf(shape, where), data, 1, where);
  }

  /** Reads an array of rows. */
  readRows(scan: JsonScanner): void {
    const { at } = scan;
    scan.openArray('rows');
    const first = scan.peek();
    if (this.spec.image !== undefined && (first === QUOTE || first === OPEN_OBJECT)) {
      for (let index = 0; scan.element(index === 0); index++) this.readRow(scan, ` of row ${index}`);
      return;
    }
    scan.at = at;
    const { shape, data } = readTensorValue(scan, this.spec);
    const [rows = 0, ...row] = shape;
    if (rows === 0) throw new ServingError('MALFORMED_REQUEST', `${this.#named('')}: the body has no rows`);
    this.#add(this.#rowOf(row, ''), data, rows, '');
  }

  /** Adds an array: one row, or, where the model has a batch axis and the array an axis more than a row, several. Returns which. */
  addArray(shape: readonly number[], data: Uint8Array, batched: boolean): boolean {
    const levelsOfRow = batched && isOneValue(this.spec) ? 0 : this.spec.dims.length;
    const batch = batched && shape.length > levelsOfRow;
    if (!batch) {
      this.#add(this.#rowOf(shape, ''), data, 1, '');
      return false;
    }
    const [rows = 0, ...row] = shape;
    if (rows === 0) throw new ServingError('MALFORMED_REQUEST', `${this.#named('')}: the body has no rows`);
    this.#add(this.#rowOf(row, ''), data, rows, '');
    return true;
  }

  addPicture(file: Uint8Array): void {
    if (this.#rows > this.#places.length) this.#refuseMix();
    this.#places.push({ start: this.#bytes, bytes: file.byteLength });
    this.#append(file, 1);
  }

  /** Its tensor, of all rows; `batched`: with a batch axis. Undefined where it has pictures. */
  tensor(batched: boolean): Tensor | undefined {
    if (this.#places.length > 0) return undefined;
    const row = this.#shape ?? [];
    const { name, dataType } = this.spec;
    const shape = batched ? [this.#rows, ...row] : row;
    return { name, dataType, shape, data: joined(this.#chunks, this.#bytes) };
  }

  pictures(): PlainPictures | undefined {
    if (this.#places.length === 0) return undefined;
    return { spec: this.spec, body: joined(this.#chunks, this.#bytes), places: this.#places };
  }

  /** The shape of a row in the model's eyes, of the brackets that it came in. */
  #rowOf(came: readonly number[], where: string): readonly number[] {
    const { dims } = this.spec;
    if (came.length === 0 && isOneValue(this.spec)) return dims;
    if (came.length === dims.length) return came;
    const levels = `${dims.length} level${dims.length === 1 ? '' : 's'} of arrays`;
    throw new ServingError(
      'SHAPE_MISMATCH',
      `${this.#named(where)}: expected a row of shape [${dims}] (${levels}), came ${came.length === 0 ? 'a single value' : `shape [${came}]`}`,
    );
  }

  #add(row: readonly number[], data: Uint8Array, rows: number, where: string): void {
    if (this.#places.length > 0) this.#refuseMix();
    this.#shape ??= row;
    if (row.some((dim, axis) => dim !== this.#shape?.[axis]))
      throw new ServingError(
        'SHAPE_MISMATCH',
        `${this.#named(where)}: its shape is [${row}], that of the rows before [${this.#shape}]; rows of one request have one shape`,
      );
    this.#append(data, rows);
  }

  #append(data: Uint8Array, rows: number): void {
    this.#chunks.push(data);
    this.#bytes += data.byteLength;
    this.#rows += rows;
  }

  #refuseMix(): never {
    throw new ServingError(
      'MALFORMED_REQUEST',
      `${this.#named(` of row ${this.#rows}`)}: images and numbers are mixed`,
    );
  }

  #named(where: string): string {
    return `input ${shown(this.spec.name)}${where}`;
  }
}

/** `"..."` (a data URL too) or `{"b64": "..."}`. */
function readBase64(scan: JsonScanner, what: string): Uint8Array {
  const text =
    scan.peek() === OPEN_OBJECT ? base64Member(scan, what) : scan.string('base64').replace(/^data:[^,]{0,100},/, '');
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text))
    throw new ServingError('MALFORMED_REQUEST', `${what}: expected an image in base64, came ${shown(text)}`);
  return Buffer.from(text, 'base64');
}

function base64Member(scan: JsonScanner, what: string): string {
  const refuse = (came: string): never => {
    throw new ServingError('MALFORMED_REQUEST', `${what}: expected {"b64": "..."}, came ${came}`);
  };
  scan.openObject(what);
  const key = scan.key(true);
  if (key !== 'b64') return refuse(`the key ${shown(key ?? '')}`);
  const text = scan.string('base64');
  const more = scan.key(false);
  return more === undefined ? text : refuse(`the key ${shown(more)} beside it`);
}

function joined(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined ? first : new Uint8Array(Buffer.concat(chunks, bytes));
}
