import { ServingError } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import type { PlainBody, PlainModel } from './plain-body.js';
import { decodePlainJson } from './plain-json.js';

/**
 * Reads a `text/csv` body: a row of the only input a line, numbers with commas between them, no header. Throws MALFORMED_REQUEST
 * naming the line, and as `decodePlainJson`.
 */
export function decodePlainCsv(body: Uint8Array, spec: PlainModel): PlainBody {
  const lines = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1').split(/\r?\n/);
  while (lines.length > 0 && (lines.at(-1) ?? '').trim() === '') lines.pop();
  for (const [index, line] of lines.entries())
    if (!/^[-+.\deE,\s]+$/.test(line))
      throw new ServingError(
        'MALFORMED_REQUEST',
        `line ${index + 1}: expected numbers with commas between them, came ${shown(line)}`,
      );
  const rows = lines.map((line) => `[${line}]`).join(',');
  return decodePlainJson(Buffer.from(spec.maxBatchSize > 0 ? `[${rows}]` : rows), spec);
}
