/**
 * Lengths of requests in classes: of one class the cost is learned together. Declared ones are the lengths that batches run
 * at; without them a class spans an eighth to a quarter, so that callers can make no more than a few dozen. Groups are for
 * choosing who shares a batch: the declared classes too, else half as wide.
 */
export class LengthClasses {
  readonly #declared: readonly number[];

  constructor(declared: readonly number[] = []) {
    this.#declared = declared;
  }

  /** The longest length of the class that `length` is in. */
  of(length: number): number {
    return this.#declaredFor(length) ?? gridLength(length, 4);
  }

  /** The longest length of the group that `length` is in. */
  group(length: number): number {
    return this.#declaredFor(length) ?? gridLength(length, 8);
  }

  /** What a batch runs at whose longest member has `length`: the declared class, else no more than that member needs. */
  padded(length: number): number {
    return this.#declaredFor(length) ?? length;
  }

  #declaredFor(length: number): number | undefined {
    for (const declared of this.#declared) if (declared >= length) return declared;
    return undefined;
  }
}

/** `steps` to each doubling: with four 1 to 8, then 10, 12, 14, 16, 20, 24, 28, 32, 40 .. */
function gridLength(length: number, steps: number): number {
  if (length <= 2 * steps) return length;
  const step = 2 ** Math.floor(Math.log2(length - 1)) / steps;
  return Math.ceil(length / step) * step;
}
