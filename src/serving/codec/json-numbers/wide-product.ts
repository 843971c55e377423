import { block, type Local, type NewLocal, type Operand, type Statement } from '../wasm/assembler.js';
import { i64 } from '../wasm/instructions.js';

const LOW_32 = 0xffff_ffffn;

/** 64 by 64 bits to 128, of four products of 32 by 32: WebAssembly has no other. */
export class WideProduct {
  readonly #low: Local<'i64'>;
  readonly #middle: Local<'i64'>;
  readonly #factor: Local<'i64'>;

  constructor(local: NewLocal) {
    this.#low = local('i64');
    this.#middle = local('i64');
    this.#factor = local('i64');
  }

  /** `a * b`; `upper` and `lower` are other variables than `a`. */
  of(a: Local<'i64'>, b: Operand<'i64'>, upper: Local<'i64'>, lower: Local<'i64'>): Statement {
    const low = this.#low;
    const middle = this.#middle;
    const factor = this.#factor;
    const lowOf = (value: Operand<'i64'>) => i64.and(value, LOW_32);
    const highOf = (value: Operand<'i64'>) => i64.shrU(value, 32n);
    return block(() => [
      factor.set(b),
      lower.set(i64.mul(a, factor)),
      low.set(i64.mul(lowOf(a), lowOf(factor))),
      middle.set(i64.add(i64.mul(highOf(a), lowOf(factor)), highOf(low))),
      upper.set(i64.add(i64.mul(highOf(a), highOf(factor)), highOf(middle))),
      upper.set(i64.add(upper, highOf(i64.add(i64.mul(lowOf(a), highOf(factor)), lowOf(middle))))),
    ]);
  }
}
