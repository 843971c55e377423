/** A whole number from 1 to 2^52 that hardly anybody else has. Pages without TLS have no `crypto.randomUUID`. */
export function randomId(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high >>> 12) * 2 ** 32 + low + 1;
}
