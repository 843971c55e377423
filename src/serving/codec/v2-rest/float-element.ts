import { refuseElement, type SinkRequest } from './element-sink.js';
import type { JsonScanner } from './json-scanner.js';

const MINUS = 0x2d;
const ZERO = 0x30;

/**
 * FP32, FP64: the bits of `Number(text)` (for FP32 then `Math.fround`), which is what `JSON.parse` gives. Finite text too large for
 * the data type is refused, `NaN`, `Infinity` and `-Infinity` unless they are allowed.
 */
export function readFloatAlone(scan: JsonScanner, request: SinkRequest, index: number): number {
  const { bytes, at: start } = scan;
  if (!isDigit(bytes[bytes[start] === MINUS ? start + 1 : start])) return readWord(scan, request, index);
  scan.skipNumber('a value');
  if (isDigit(bytes[scan.at])) return refuse(scan, request, index, start);
  const value = Number(scan.text(start, scan.at));
  const rounded = request.dataType === 'FP32' ? Math.fround(value) : value;
  return Number.isFinite(rounded) ? rounded : refuse(scan, request, index, start);
}

function readWord(scan: JsonScanner, request: SinkRequest, index: number): number {
  const { at: start } = scan;
  const word = /^(?:NaN|-?Inf(?:inity)?)/.exec(scan.text(start, Math.min(start + 9, scan.bytes.length)))?.[0];
  if (word === undefined) return refuse(scan, request, index, start);
  if (!request.allowNan) {
    scan.fail(`a number (${request.label}; NaN and Infinity are not JSON: send binary data, or start with --json-nan)`);
  }
  scan.at += word.length;
  return Number(word.endsWith('Inf') ? `${word}inity` : word);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= 0x39;
}

function refuse(scan: JsonScanner, request: SinkRequest, index: number, start: number): never {
  return refuseElement(scan, request, index, start, 'a number in range');
}
