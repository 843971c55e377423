import { DATA_TYPES } from '../../../core/index.js';
import { refuseElement, type SinkRequest } from './element-sink.js';
import type { JsonScanner } from './json-scanner.js';

const MINUS = 0x2d;
const ZERO = 0x30;

/** INT8 to INT64, UINT8 to UINT64: range-checked, all bits exact; `1.0` and `1e2` are refused as Triton does. */
export function readIntegerAlone(scan: JsonScanner, request: SinkRequest, index: number): number | bigint {
  const start = scan.at;
  const end = integerEnd(scan, request, index, start);
  const { min, max, elementBytes } = DATA_TYPES[request.dataType] as { min: bigint; max: bigint; elementBytes: number };
  // Twenty digits and a sign are the most that can be in range: longer ones never become a bigint.
  const value = end - start <= 21 ? BigInt(scan.text(start, end)) : undefined;
  if (value === undefined || value < min || value > max) {
    return refuseElement(scan, request, index, start, `from ${min} to ${max}`);
  }
  scan.at = end;
  return elementBytes === 8 ? value : Number(value);
}

/** Where the integer that starts at `start` ends, its digits checked. */
function integerEnd(scan: JsonScanner, request: SinkRequest, index: number, start: number): number {
  const { bytes } = scan;
  let at = start;
  if (bytes[at] === MINUS) at++;
  const first = at;
  let byte = bytes[at] as number;
  while (byte >= ZERO && byte <= 0x39) byte = bytes[++at] as number;
  const leadingZero = bytes[first] === ZERO && at > first + 1;
  if (at === first || leadingZero || byte === 0x2e || byte === 0x65 || byte === 0x45) {
    refuseElement(scan, request, index, start, 'an integer');
  }
  return at;
}
