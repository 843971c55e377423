const ID_FIELD = 3;
const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/**
 * The `id` of a `ModelInferRequest` that could not be decoded, so that the error can say which request it means; empty
 * where it cannot be read either. Reads the outermost fields only, never throws.
 */
export function requestIdOf(bytes: Uint8Array): string {
  let at = 0;
  let id = '';
  const varint = () => {
    let value = 0;
    for (let scale = 1; at < bytes.byteLength; scale *= 128) {
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.byteLength) {
    const tag = varint();
    const wire = tag % 8;
    if (wire === VARINT) varint();
    else if (wire === FIXED64) at += 8;
    else if (wire === FIXED32) at += 4;
    else if (wire === LENGTH) {
      const end = varint() + at;
      if (!(end <= bytes.byteLength)) return id;
      if (Math.floor(tag / 8) === ID_FIELD)
        id = Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString('utf8');
      at = end;
    } else return id;
  }
  return id;
}
