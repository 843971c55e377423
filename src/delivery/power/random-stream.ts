/** Uniform numbers in [0, 1). */
export type Uniform = () => number;

/** sfc32 (Doty-Humphrey): 128 bits of state, so that ten thousand long runs with seeds of their own do not meet. */
export function randomStream(seed: number): Uniform {
  // A typed array: numbers of 32 bits in variables of a closure are boxed at every write.
  const state = Int32Array.of(0x9e3779b9, seed, 0x243f6a88, 1);
  const next = () => {
    const [a, b, c, counter] = [state[0] as number, state[1] as number, state[2] as number, state[3] as number];
    const sum = (a + b + counter) | 0;
    state[0] = b ^ (b >>> 9);
    state[1] = c + (c << 3);
    state[2] = ((c << 21) | (c >>> 11)) + sum;
    state[3] = counter + 1;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 15; i++) next();
  return next;
}
