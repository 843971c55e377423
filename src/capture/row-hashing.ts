import { createHmac, randomBytes } from 'node:crypto';
import type { CapturedRow, CapturedTensor, StoredRow } from './captured-row.js';

/** Makes rows as sinks are given them: hashes what is to be hashed, on the thread that writes. */
export class RowHashing {
  /** Of this process: nothing tells two values of one run apart, and nobody can try values out afterwards. */
  readonly #key = randomBytes(32);

  stored({ data, hashTenant, hashHeaders, ...row }: CapturedRow): StoredRow {
    const inputs = this.#inputs(row.inputs, new Uint8Array(data));
    const inputBytes = row.inputs.reduce((sum, { bytes }) => sum + bytes, 0);
    const tenant = hashTenant && row.tenant !== '' ? this.#hash(Buffer.from(row.tenant)) : row.tenant;
    return {
      ...row,
      tenant,
      headers: hashHeaders.length === 0 ? row.headers : this.#headers(row.headers, hashHeaders),
      inputs: inputs.tensors,
      inputData: inputs.data,
      outputData: new Uint8Array(data, inputBytes),
    };
  }

  #headers(headers: CapturedRow['headers'], hashed: readonly string[]): CapturedRow['headers'] {
    return Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name,
        hashed.includes(name) ? this.#hash(Buffer.from(value)) : value,
      ]),
    );
  }

  #inputs(
    tensors: readonly CapturedTensor[],
    data: Uint8Array,
  ): { readonly tensors: readonly CapturedTensor[]; readonly data: Uint8Array } {
    const parts: Uint8Array[] = [];
    let at = 0;
    const described = tensors.map((tensor) => {
      const part = data.subarray(at, at + tensor.bytes);
      at += tensor.bytes;
      if (tensor.redacted !== 'hash') {
        parts.push(part);
        return tensor;
      }
      return { ...tensor, bytes: 0, redacted: this.#hash(part) };
    });
    const whole = described.every((tensor, i) => tensor.bytes === tensors[i]?.bytes);
    return { tensors: described, data: whole ? data.subarray(0, at) : Buffer.concat(parts) };
  }

  #hash(bytes: Uint8Array): string {
    return `hmac-sha256:${createHmac('sha256', this.#key).update(bytes).digest('hex')}`;
  }
}
