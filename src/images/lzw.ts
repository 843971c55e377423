const MOST_CODES = 4096;

/**
 * Decodes `count` indices of GIF's LZW (GIF89a, appendix F). Throws where the data ends before, or has a code that stands for
 * nothing. Takes `count` bytes, whatever the data says.
 */
export function lzwIndices(data: Uint8Array, codeBits: number, count: number): Uint8Array {
  if (codeBits < 1 || codeBits > 8) throw new Error(`its codes begin with ${codeBits} bits, expected 1 to 8`);
  const clear = 1 << codeBits;
  const end = clear + 1;
  const out = new Uint8Array(count);
  /** Of each code: where its indices lie in what is out already, and how many they are. */
  const starts = new Int32Array(MOST_CODES);
  const lengths = new Int32Array(MOST_CODES);
  let next = end + 1;
  let bits = codeBits + 1;
  let before = -1;
  let at = 0;
  let held = 0;
  let heldBits = 0;
  let written = 0;
  while (written < count) {
    while (heldBits < bits) {
      if (at === data.length) throw new Error('the file is cut short');
      held |= (data[at++] as number) << heldBits;
      heldBits += 8;
    }
    const code = held & ((1 << bits) - 1);
    held >>>= bits;
    heldBits -= bits;
    if (code === clear) {
      next = end + 1;
      bits = codeBits + 1;
      before = -1;
      continue;
    }
    if (code === end) throw new Error(`it ends after ${written} of ${count} pixels`);
    if (code > next || (code === next && (before < 0 || next === MOST_CODES)) || (code > end && before < 0))
      throw new Error(`its data is damaged at pixel ${written}`);
    const start = written;
    if (code < clear) out[written++] = code;
    else {
      // A code stands for the indices of the one before it and the first that follows: they lie in `out` side by side.
      const from = code === next ? before : (starts[code] as number);
      const length = code === next ? written - before + 1 : (lengths[code] as number);
      for (let i = 0; i < length && written < count; i++) out[written++] = out[from + i] as number;
    }
    if (before >= 0 && next < MOST_CODES) {
      starts[next] = before;
      lengths[next] = start - before + 1;
      next++;
      if (next === 1 << bits && bits < 12) bits++;
    }
    before = start;
  }
  return out;
}
