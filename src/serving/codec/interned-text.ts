/** Texts up to this length are looked up before one is made. */
const INTERN_BYTES = 32;
const SLOTS = 1024;

/** Direct-mapped: keys, names and data types repeat from request to request, so that most texts cost no allocation. */
const interned: (string | undefined)[] = new Array<string | undefined>(SLOTS).fill(undefined);

/** Bytes `start` to `end`, already known to be UTF-8, as text. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length > INTERN_BYTES) return decoded(bytes, start, end);
  let hash = length;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
  const slot = (hash ^ (hash >>> 12)) & (SLOTS - 1);
  const known = interned[slot];
  if (known !== undefined && known.length === length) {
    let i = 0;
    // Only ASCII texts are stored: a byte from 0x80 never equals one of their code units.
    while (i < length && known.charCodeAt(i) === bytes[start + i]) i++;
    if (i === length) return known;
  }
  const text = decoded(bytes, start, end);
  if (text.length === length) interned[slot] = text;
  return text;
}

/** The same for a text that does not repeat. */
export function decoded(bytes: Uint8Array, start: number, end: number): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('utf8', start, end);
}
