import { ServingError, type Tensor } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import type { JsonScanner } from '../v2-rest/json-scanner.js';
import { type InputSpec, readTensorRows, readTensorValue } from './tensor-value.js';
import { shapeOfValue } from './value-shape.js';

/** How rows with names are read. */
export interface NamedRows {
  /** The array's key, and what one of its elements is called. */
  readonly key: string;
  readonly one: string;
  /** Whether names that the model has no input for are passed over; else they are refused. */
  readonly passOver: boolean;
  /** Places of values that every row has, by input; absent: there are none. */
  readonly common?: ReadonlyMap<string, number>;
}

export const INSTANCES: NamedRows = { key: 'instances', one: 'instance', passOver: false };

/**
 * Reads an array of objects with values by the names of inputs: the places of the values first, then input by input into one tensor each, of a
 * row for each object. Every row has the same inputs. Throws UNKNOWN_INPUT, MISSING_INPUT and what `readTensorRows` throws.
 */
export function readNamedRows(scan: JsonScanner, specs: readonly InputSpec[], how: NamedRows): Tensor[] {
  const places = new Map<string, number[]>(specs.map(({ name }) => [name, []]));
  let rows = 0;
  scan.openArray(how.key);
  for (; scan.element(rows === 0); rows++) {
    scan.openObject(`${how.one} ${rows}`);
    for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
      const starts = places.get(key);
      scan.peek();
      if (starts !== undefined) note(starts, rows, key, scan.at, how);
      else if (!how.passOver) throw unknownInput(key, specs);
      scan.skip();
    }
  }
  const end = scan.at;
  const inputs: Tensor[] = [];
  for (const spec of specs) {
    const common = how.common?.get(spec.name);
    const own = places.get(spec.name) as number[];
    if (own.length === 0 && common !== undefined) {
      scan.at = common;
      inputs.push(repeated(readTensorValue(scan, spec), rows));
      continue;
    }
    if (own.length === 0 && spec.optional) continue;
    if (own.length < rows) throw missing(spec.name, own.length, how);
    scan.at = own[0] as number;
    const row = shapeOfValue(scan);
    inputs.push(readTensorRows(scan, spec, own, row, [rows, ...row]));
  }
  scan.at = end;
  return inputs;
}

/** What every row has is sent once, so that its memory is bounded by itself. */
const MOST_REPEATED_BYTES = 64 * 1024 * 1024;

function repeated(tensor: Tensor, rows: number): Tensor {
  const { byteLength } = tensor.data;
  if (byteLength * rows > MOST_REPEATED_BYTES)
    throw new ServingError(
      'BODY_TOO_LARGE',
      `input ${shown(tensor.name)}: ${rows} rows of the context take more than ${MOST_REPEATED_BYTES} bytes`,
    );
  const data = new Uint8Array(byteLength * rows);
  for (let row = 0; row < rows; row++) data.set(tensor.data, row * byteLength);
  return { ...tensor, shape: [rows, ...tensor.shape], data };
}

function note(starts: number[], rows: number, key: string, at: number, how: NamedRows): void {
  if (how.common?.has(key))
    throw new ServingError('MALFORMED_REQUEST', `${how.one} ${rows} has input ${shown(key)}, which the context has`);
  if (starts.length > rows)
    throw new ServingError('MALFORMED_REQUEST', `${how.one} ${rows} has input ${shown(key)} twice`);
  if (starts.length < rows) throw missing(key, starts.length, how);
  starts.push(at);
}

function missing(name: string, row: number, { one }: NamedRows): ServingError {
  return new ServingError('MISSING_INPUT', `${one} ${row} has no input ${shown(name)}`);
}

export function unknownInput(name: string, specs: readonly InputSpec[]): ServingError {
  return new ServingError('UNKNOWN_INPUT', `unexpected input ${shown(name)}; the model has: ${listed(specs)}`);
}

/** Names of inputs, as messages list them. */
export function listed(specs: readonly InputSpec[]): string {
  return specs
    .slice(0, 20)
    .map(({ name }) => shown(name))
    .join(', ');
}
