import { type AssembledFunction, block, branch, branchIf, exported, loop, when } from '../wasm/assembler.js';
import { i32, i64 } from '../wasm/instructions.js';
import { writeDecimal } from './decimal-text-code.js';
import { LEFT_AT, TEXT, VALUES } from './number-memory.js';
import { type FloatParts, FP32, FP64, shortestDecimal, takeApart } from './schubfach.js';

const COMMA = 0x2c;
const MINUS = 0x2d;

/**
 * `writeFloats(count, valueBytes, comma)`: up to `count` FP64 or FP32 (by `valueBytes`) from `VALUES` as JSON text to `TEXT`, each but the
 * first after a comma; that one too where `comma` is 1. In the fewest digits that read back to the same bits, always with a fraction or
 * an exponent, so that typed readers see a float. Stops before one that is not finite. Gives how many bytes it wrote and leaves at
 * `LEFT_AT` where the values were left.
 */
export function writeFloats(): AssembledFunction {
  return exported('writeFloats', ['i32', 'i32', 'i32'], (local, count, valueBytes, comma) => {
    const from = local('i32');
    const end = local('i32');
    const to = local('i32');
    const digits = local('i64');
    const decimal = local('i32');
    const parts: FloatParts = {
      negative: local('i32'),
      mantissa: local('i64'),
      binary: local('i32'),
      atPower: local('i32'),
    };
    const single = i32.eq(valueBytes, 4);
    return {
      statements: [
        from.set(VALUES),
        end.set(i32.add(from, i32.mul(count, valueBytes))),
        to.set(TEXT),
        block((stop) => [
          loop((again) => [
            branchIf(i32.eq(from, end), stop),
            when(
              single,
              takeApart(i64.load32(0, from), parts, FP32, stop),
              takeApart(i64.load(0, from), parts, FP64, stop),
            ),
            // Without branches: signs cannot be predicted.
            i32.store8(0, to, COMMA),
            to.set(i32.add(to, comma)),
            comma.set(1),
            i32.store8(0, to, MINUS),
            to.set(i32.add(to, parts.negative)),
            ...shortestDecimal(local, parts, single, digits, decimal),
            ...writeDecimal(local, digits, decimal, to),
            from.set(i32.add(from, valueBytes)),
            branch(again),
          ]),
        ]),
        i32.store(LEFT_AT, 0, from),
      ],
      result: i32.sub(to, TEXT),
    };
  });
}
