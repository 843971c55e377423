import { type ElementSink, RUN_ELEMENTS, readEach, refuseElement, type SinkRequest } from './element-sink.js';
import type { JsonScanner } from './json-scanner.js';

const QUOTE = 0x22;
const OPEN_OBJECT = 0x7b;

/** BYTES: the strings as UTF-8, serialised as the protocol has it (uint32 length, bytes). */
export class StringSink implements ElementSink {
  readonly runElements = RUN_ELEMENTS;
  readonly #request: SinkRequest;
  #out: Buffer;
  #end = 0;
  readonly #one = (scan: JsonScanner, index: number, byte: number): void => {
    if (byte === OPEN_OBJECT && this.#request.base64 === true) {
      this.#takeBase64(scan, index);
      return;
    }
    if (byte !== QUOTE) refuseElement(scan, this.#request, index, scan.at, 'a string');
    const start = scan.at + 1;
    if (scan.skipString()) {
      const text = scan.unescaped(start, scan.at - 1);
      // An escape is never shorter than what it stands for: the span bounds the bytes.
      this.#reserve(scan.at - start);
      const length = this.#out.write(text, this.#end + 4, 'utf8');
      this.#out.writeUInt32LE(length, this.#end);
      this.#end += 4 + length;
    } else {
      const length = scan.at - 1 - start;
      this.#reserve(length);
      this.#out.writeUInt32LE(length, this.#end);
      this.#out.set(scan.bytes.subarray(start, start + length), this.#end + 4);
      this.#end += 4 + length;
    }
  };

  constructor(request: SinkRequest) {
    this.#request = request;
    this.#out = Buffer.allocUnsafeSlow(request.count * 12);
  }

  readRun(scan: JsonScanner, from: number, begin: number, end: number): number {
    return readEach(scan, from, begin, end, this.#one);
  }

  readRows(): number {
    return 0;
  }

  bytes(): Uint8Array {
    return this.#out.subarray(0, this.#end);
  }

  #takeBase64(scan: JsonScanner, index: number): void {
    const start = scan.at;
    scan.openObject('a value');
    if (scan.key(true) !== 'b64') refuseElement(scan, this.#request, index, start, 'a string or {"b64": ...}');
    const text = scan.string('b64');
    const bytes = Buffer.from(text, 'base64');
    if (scan.key(false) !== undefined || !isBase64(text, bytes.byteLength))
      refuseElement(scan, this.#request, index, start, 'a string or {"b64": ...} of valid base64');
    this.#reserve(bytes.byteLength);
    this.#out.writeUInt32LE(bytes.byteLength, this.#end);
    this.#out.set(bytes, this.#end + 4);
    this.#end += 4 + bytes.byteLength;
  }

  #reserve(length: number): void {
    const needed = this.#end + 4 + length;
    if (needed <= this.#out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#out.length * 2));
    larger.set(this.#out.subarray(0, this.#end));
    this.#out = larger;
  }
}

/** Node's decoder takes any text, and leaves out what is none. */
function isBase64(text: string, bytes: number): boolean {
  return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text) && bytes === Math.floor((text.replace(/=+$/, '').length * 3) / 4);
}
