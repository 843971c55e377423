import { type ElementSink, RUN_ELEMENTS, readEach, refuseElement, type SinkRequest } from './element-sink.js';
import type { JsonScanner } from './json-scanner.js';

const T = 0x74;
const F = 0x66;

/** BOOL: `true` and `false` only, as Triton has it; 0 and 1 are refused. */
export class BooleanSink implements ElementSink {
  readonly runElements = RUN_ELEMENTS;
  readonly #request: SinkRequest;
  readonly #out: Uint8Array;
  readonly #one = (scan: JsonScanner, index: number, byte: number): void => {
    if (byte !== T && byte !== F) refuseElement(scan, this.#request, index, scan.at, 'true or false');
    this.#out[index] = scan.boolean('an element') ? 1 : 0;
  };

  constructor(request: SinkRequest) {
    this.#request = request;
    this.#out = new Uint8Array(request.count);
  }

  readRun(scan: JsonScanner, from: number, begin: number, end: number): number {
    return readEach(scan, from, begin, end, this.#one);
  }

  readRows(): number {
    return 0;
  }

  bytes(): Uint8Array {
    return this.#out;
  }
}
