import { DATA_TYPES, type DataType, type TypedArray } from '../../../core/index.js';
import { type NumberForm, numberReader } from '../json-numbers/number-reader.js';
import type { ElementSink, SinkRequest } from './element-sink.js';
import type { JsonScanner } from './json-scanner.js';

/** Longer rows are read one by one. */
const SHORT_ROW = 256;

/** Reads the element at `scan.at`, white space before it taken, by itself: whatever it is. */
export type ReadAlone = (scan: JsonScanner, request: SinkRequest, index: number) => number | bigint;

/**
 * Numbers, by WebAssembly. What that does not take is read alone: what is no number of this data type, and the few numbers that
 * its arithmetic does not decide.
 */
export class NumberSink implements ElementSink {
  readonly runElements = Number.POSITIVE_INFINITY;
  readonly #request: SinkRequest;
  readonly #log2Bytes: number;
  readonly #readAlone: ReadAlone;
  readonly #reader = numberReader();
  /** Made with the first elements. */
  #bytes: Uint8Array | undefined;

  constructor(request: SinkRequest, readAlone: ReadAlone) {
    const form = formOf(request.dataType);
    this.#request = request;
    this.#log2Bytes = form.log2Bytes;
    this.#readAlone = readAlone;
    this.#reader.begin(form);
  }

  readRun(scan: JsonScanner, from: number, begin: number, end: number): number {
    for (let i = begin; i < end; ) {
      const took = this.#reader.read(scan.bytes, scan.at, 0, end - i, i > 0);
      if (took > 0) this.#take(scan, from + i, took);
      else {
        if (!scan.element(i === 0)) return i;
        scan.peek();
        this.#array()[from + i] = this.#readAlone(scan, this.#request, from + i);
      }
      i += Math.max(took, 1);
    }
    return end;
  }

  readRows(scan: JsonScanner, from: number, rows: number, rowLength: number, comma: boolean): number {
    if (rowLength === 0 || rowLength > SHORT_ROW) return 0;
    const took = this.#reader.read(scan.bytes, scan.at, rows, rowLength, comma);
    if (took > 0) this.#take(scan, from, took);
    return took / rowLength;
  }

  bytes(): Uint8Array {
    return this.#all();
  }

  #take(scan: JsonScanner, from: number, count: number): void {
    scan.at = this.#reader.at;
    if (count === this.#request.count) this.#bytes = this.#reader.copyOfValues(count);
    else this.#all().set(this.#reader.values(count), from << this.#log2Bytes);
  }

  #all(): Uint8Array {
    this.#bytes ??= new Uint8Array(this.#request.count << this.#log2Bytes);
    return this.#bytes;
  }

  #array(): { [index: number]: number | bigint } {
    const { buffer } = this.#all();
    return new DATA_TYPES[this.#request.dataType].array(buffer) as TypedArray as { [index: number]: number | bigint };
  }
}

const FORMS = new Map<DataType, NumberForm>();

function formOf(dataType: DataType): NumberForm {
  let form = FORMS.get(dataType);
  if (form === undefined) {
    const { elementBytes, json, min, max } = DATA_TYPES[dataType];
    const log2Bytes = Math.log2(elementBytes) as 2 | 3;
    form =
      json === 'float'
        ? { kind: 'float', log2Bytes }
        : { kind: 'integer', log2Bytes, min: min as bigint, max: max as bigint };
    FORMS.set(dataType, form);
  }
  return form;
}
