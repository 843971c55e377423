import { type OutputComparison, type Tensor, typedView } from '../core/index.js';
import { isNumeric, kindOf, numbersOf, type Rows, rowsOf, topIndex } from './elements.js';
import { rankCorrelation } from './rank-correlation.js';
import { sharesOf } from './shares.js';
import { isDistribution, totalVariation } from './total-variation.js';

/** Floats agree where their difference is at most `absolute + relative * |reference|`; integers and texts where they are equal. */
export interface Tolerances {
  readonly absolute: number;
  readonly relative: number;
}

/**
 * How much of two answers is looked at: the first elements of each output. What comes after is taken to be as these are.
 */
export interface Look {
  /** Over all outputs; each has an equal part of what those before it cannot use. */
  readonly elements: number;
  /** For rank correlation, over the rows of the first output of numbers; longer rows are thinned out evenly. */
  readonly ranked: number;
}

/** An error where one of two numbers is none (NaN), or infinite and the other is not: the largest, so that it can be kept as JSON. */
const NO_NUMBER = Number.MAX_VALUE;
/** The largest relative error: of opposite numbers, or where one of them is no number. */
const LARGEST_RELATIVE = 2;

/**
 * How an answer differs from the reference. Outputs are compared by name; one that only one side has, or that has another shape
 * or other kind of elements, does not agree, and adds nothing to the errors. The relative error of two numbers is their
 * difference by the larger of their sizes: 0 to 2, and 1 where the reference is 0. `batched`: the first axis is that of rows.
 */
export function compareOutputs(
  reference: readonly Tensor[],
  candidate: readonly Tensor[],
  batched: boolean,
  tolerances: Tolerances,
  look: Look,
): OutputComparison {
  const found = new Findings(tolerances);
  if (reference.length !== candidate.length) found.agrees = false;
  const shares = sharesOf(reference, look.elements);
  const first = reference.find(isNumeric);
  for (const [i, expected] of reference.entries()) {
    const count = shares[i] as number;
    const came = candidate.find(({ name }) => name === expected.name);
    if (came === undefined || !comparable(expected, came)) {
      found.agrees = false;
      if (expected === first) found.topAgrees = false;
    } else if (kindOf(expected) === 'text') found.texts(expected, came, count);
    else found.numbers(expected, came, rowsOf(expected, batched), count, expected === first ? look.ranked : 0);
  }
  return found.comparison();
}

function comparable(expected: Tensor, came: Tensor): boolean {
  const { shape } = expected;
  if (shape.length !== came.shape.length || shape.some((size, axis) => size !== came.shape[axis])) return false;
  return kindOf(expected) === kindOf(came) || (isNumeric(expected) && isNumeric(came));
}

/** What was found so far. */
class Findings {
  agrees = true;
  topAgrees: boolean | undefined;
  readonly #tolerances: Tolerances;
  #maxAbsolute = 0;
  #maxRelative = 0;
  #correlation: number | undefined;
  readonly #variation = { sum: 0, rows: 0 };

  constructor(tolerances: Tolerances) {
    this.#tolerances = tolerances;
  }

  comparison(): OutputComparison {
    const { sum, rows } = this.#variation;
    return {
      agrees: this.agrees,
      topAgrees: this.topAgrees,
      maxAbsoluteError: this.#maxAbsolute,
      maxRelativeError: this.#maxRelative,
      rankCorrelation: this.#correlation,
      totalVariation: rows === 0 ? undefined : sum / rows,
    };
  }

  /** Serialised texts are equal where their bytes are, lengths included. */
  texts({ data }: Tensor, came: Tensor, count: number): void {
    const end = Math.min(data.byteLength, count * 8);
    for (let at = 0; at < end; at++) {
      if (data[at] === came.data[at]) continue;
      this.agrees = false;
      return;
    }
  }

  /** Of the first `count` elements; `ranked` is 0 where it is not the first output of numbers. */
  numbers(expected: Tensor, came: Tensor, rows: Rows, count: number, ranked: number): void {
    const a = numbersOf(expected, 0, count);
    const b = numbersOf(came, 0, count);
    const exact = kindOf(expected) !== 'float' && kindOf(came) !== 'float';
    this.#errors(a, b, count, exact);
    // Doubles do not tell large integers apart.
    if (this.agrees && exact) this.#wide(expected, came, count);
    if (!isNumeric(expected) || rows.length === 0) return;
    if (ranked > 0) this.#order(a, b, rows, count, ranked);
    if (!exact) this.#distributions(a, b, rows, count);
  }

  #errors(a: ArrayLike<number>, b: ArrayLike<number>, count: number, exact: boolean): void {
    const { absolute, relative: share } = this.#tolerances;
    let maxAbsolute = this.#maxAbsolute;
    let maxRelative = this.#maxRelative;
    let agrees = this.agrees;
    for (let i = 0; i < count; i++) {
      const expected = a[i] as number;
      const came = b[i] as number;
      if (expected === came) continue;
      const error = Math.abs(came - expected);
      if (error < Number.POSITIVE_INFINITY) {
        if (error > maxAbsolute) maxAbsolute = error;
        const size = Math.abs(expected);
        const relative = error / Math.max(size, Math.abs(came));
        if (relative > maxRelative) maxRelative = relative;
        if (exact || error > absolute + share * size) agrees = false;
      } else if (!Number.isNaN(expected) || !Number.isNaN(came)) {
        agrees = false;
        maxAbsolute = NO_NUMBER;
        maxRelative = LARGEST_RELATIVE;
      }
    }
    this.#maxAbsolute = maxAbsolute;
    this.#maxRelative = maxRelative;
    this.agrees = agrees;
  }

  #wide(expected: Tensor, came: Tensor, count: number): void {
    const a = typedView(expected.dataType, expected.data);
    const b = typedView(came.dataType, came.data);
    if (!isWide(a) && !isWide(b)) return;
    for (let i = 0; i < count; i++) {
      const error = BigInt(a[i] as number | bigint) - BigInt(b[i] as number | bigint);
      if (error === 0n) continue;
      this.agrees = false;
      this.#maxAbsolute = Math.max(this.#maxAbsolute, Math.abs(Number(error)));
    }
  }

  /** Of the rows that are looked at, a beginning of one included where not even the first is whole. */
  #order(a: ArrayLike<number>, b: ArrayLike<number>, rows: Rows, count: number, ranked: number): void {
    const length = Math.min(rows.length, count);
    if (length === 0) return;
    const whole = Math.max(Math.floor(count / rows.length), 1);
    this.topAgrees ??= true;
    for (let row = 0; row < whole; row++) {
      const from = row * rows.length;
      if (topIndex(a, from, from + length) !== topIndex(b, from, from + length)) this.topAgrees = false;
    }
    const step = Math.max(Math.ceil(length / ranked), 1);
    const taken = Math.ceil(length / step);
    const some = Math.min(whole, Math.max(Math.floor(ranked / taken), 1));
    if (taken < 3) return;
    let sum = 0;
    for (let row = 0; row < some; row++) {
      sum += rankCorrelation(thinned(a, row * rows.length, taken, step), thinned(b, row * rows.length, taken, step));
    }
    this.#correlation = sum / some;
  }

  /** Where all rows that are looked at whole are distributions on both sides. */
  #distributions(a: ArrayLike<number>, b: ArrayLike<number>, { length }: Rows, count: number): void {
    const whole = Math.floor(count / length);
    let sum = 0;
    for (let row = 0; row < whole; row++) {
      const from = row * length;
      if (!isDistribution(a, from, from + length) || !isDistribution(b, from, from + length)) return;
      sum += totalVariation(a, b, from, from + length);
    }
    this.#variation.sum += sum;
    this.#variation.rows += whole;
  }
}

function isWide(view: ArrayLike<number | bigint>): boolean {
  return view instanceof BigInt64Array || view instanceof BigUint64Array;
}

function thinned(values: ArrayLike<number>, from: number, count: number, step: number): Float64Array {
  const some = new Float64Array(count);
  for (let i = 0; i < count; i++) some[i] = values[from + i * step] as number;
  return some;
}
