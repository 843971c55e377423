/** Whoever is beyond a bound. */
export const OTHERS_NAME = '(others)';

/** Names that become labels: the first ones that come, up to a number; who comes later shares a name, for ever. */
export class BoundedNames {
  readonly #most: number;
  readonly #names: Set<string>;

  /** `always`: names that are told apart beside so many. */
  constructor(most: number, always: readonly string[] = []) {
    this.#names = new Set(always);
    this.#most = most + this.#names.size;
  }

  /** The name itself, where it is among those that are told apart. The empty name always is. */
  known(name: string): string {
    if (name === '' || name === OTHERS_NAME || this.#names.has(name)) return name;
    if (this.#names.size >= this.#most) return OTHERS_NAME;
    this.#names.add(name);
    return name;
  }
}
