import { bitsToFloat, bytesElements, type DataType, halfToNumber, typedView } from '../../core/index.js';
import type { CapturedTensor } from '../captured-row.js';

/**
 * Tensors as the protocol's JSON has them; `data` are their bytes one after the other. Integers of 64 bits in full digits, FP16 and
 * BF16 as numbers, NaN and infinities as null, BYTES as text or, where one is not UTF-8, all of them in base64 (parameter
 * `encoding`). What was left out has no data and a parameter `redacted`.
 */
export function tensorsJson(tensors: readonly CapturedTensor[], data: Uint8Array): string {
  let at = 0;
  const parts = tensors.map(({ name, datatype, shape, bytes, redacted }) => {
    const head = `"name":${JSON.stringify(name)},"datatype":${JSON.stringify(datatype)},"shape":${JSON.stringify(shape)}`;
    if (redacted !== undefined) return `{${head},"parameters":${JSON.stringify({ redacted })}}`;
    const part = data.subarray(at, at + bytes);
    at += bytes;
    return datatype === 'BYTES'
      ? `{${head},${textsJson(part)}}`
      : `{${head},"data":${numbersJson(datatype as DataType, part)}}`;
  });
  return `[${parts.join(',')}]`;
}

function numbersJson(dataType: DataType, bytes: Uint8Array): string {
  const view = typedView(dataType, bytes);
  if (view instanceof BigInt64Array || view instanceof BigUint64Array) return `[${view.join(',')}]`;
  if (dataType === 'BOOL') return JSON.stringify(Array.from(view, (bit) => bit !== 0));
  if (dataType === 'FP16') return JSON.stringify(Array.from(view, halfToNumber));
  if (dataType === 'BF16') return JSON.stringify(Array.from(view, (pattern) => bitsToFloat(pattern << 16)));
  return JSON.stringify(Array.from(view));
}

function textsJson(bytes: Uint8Array): string {
  const elements = bytesElements(bytes);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return `"data":${JSON.stringify(elements.map((element) => decoder.decode(element)))}`;
  } catch {
    const encoded = elements.map((element) => Buffer.from(element).toString('base64'));
    return `"parameters":{"encoding":"base64"},"data":${JSON.stringify(encoded)}`;
  }
}
