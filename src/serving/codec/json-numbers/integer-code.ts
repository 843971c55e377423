import {
  type AssembledFunction,
  block,
  branch,
  branchIf,
  exported,
  type Local,
  type Statement,
  when,
} from '../wasm/assembler.js';
import { i32, i64, v128 } from '../wasm/instructions.js';
import { lessZero, malformedWhole, notDigits, sixteenDigits, withoutPoint } from './digits-code.js';
import { type ElementCode, elementLoop, LOOP_PARAMETERS } from './element-loop.js';
import { GREATEST } from './number-memory.js';

const SIXTEEN_DIGITS = 10_000_000_000_000_000n;

/**
 * `readIntegers(at, rows, rowLength, valueBytes, comma)`: `elementLoop` of JSON integers of up to nineteen digits, in two's complement.
 * Stops before those whose magnitude is above `GREATEST`.
 */
export function readIntegers(): AssembledFunction {
  return exported('readIntegers', LOOP_PARAMETERS, (local, ...parameters) => {
    const [, , , valueBytes] = parameters;
    return elementLoop(local, parameters, (code) => integerElement(code, valueBytes));
  });
}

function integerElement(element: ElementCode, valueBytes: Local<'i32'>): readonly Statement[] {
  const { local, negative, start, end, to, stop } = element;
  const text = local('v128');
  const length = local('i32');
  const lower = local('i32');
  const magnitude = local('i64');
  const upper = local('i64');
  const sign = local('i64');
  return [
    text.set(v128.load(0, start)),
    length.set(i32.ctz(notDigits(text))),
    branchIf(malformedWhole(length, i32.load8(0, start)), stop),
    block((read) => [
      when(i32.leU(length, 15), [
        ...sixteenDigits(local, withoutPoint(lessZero(text), length, length), magnitude),
        branch(read),
      ]),
      lower.set(i32.ctz(notDigits(v128.load(16, start)))),
      branchIf(i32.gtU(lower, 3), stop),
      ...sixteenDigits(local, withoutPoint(lessZero(text), lower, lower), upper),
      ...sixteenDigits(local, lessZero(v128.load(0, i32.add(start, lower))), magnitude),
      magnitude.set(i64.add(magnitude, i64.mul(upper, SIXTEEN_DIGITS))),
      length.set(i32.add(lower, 16)),
    ]),
    end.set(i32.add(start, length)),
    branchIf(i64.gtU(magnitude, i64.load(GREATEST, i32.shl(negative, 3))), stop),
    sign.set(i64.sub(0n, i64.extendU(negative))),
    magnitude.set(i64.sub(i64.xor(magnitude, sign), sign)),
    block((stored) => [
      when(i32.eq(valueBytes, 4), [i64.store32(0, to, magnitude), branch(stored)]),
      when(i32.eq(valueBytes, 8), [i64.store(0, to, magnitude), branch(stored)]),
      when(i32.eq(valueBytes, 1), [i64.store8(0, to, magnitude), branch(stored)]),
      i64.store16(0, to, magnitude),
    ]),
  ];
}
