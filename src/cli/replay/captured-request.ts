import type { CapturedTensor, StoredRow } from '../../capture/index.js';
import { isDataType, type Tensor } from '../../core/index.js';
import type { AskedOutput } from '../v2-client.js';
import type { Skipped } from './replay-tally.js';

/** A row that can be sent again. */
export interface CapturedRequest {
  readonly inputs: readonly Tensor[];
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly asked: readonly AskedOutput[];
  /** Outputs of its answer that were kept. */
  readonly outputs: readonly Tensor[];
}

const MASKED = '***';

/** The request of a row, or why it cannot be sent again. */
export function capturedRequest(row: StoredRow, model: string): CapturedRequest | Skipped {
  if (row.model !== model) return 'other_model';
  if (row.error !== undefined) return 'not_answered';
  if (row.inputs.some(({ redacted }) => redacted !== undefined)) return 'redacted';
  if (row.inputs.some(({ name }) => name === '')) return 'raw';
  const parameters = Object.entries(row.parameters).filter(([, value]) => value !== MASKED);
  return {
    inputs: tensorsOf(row.inputs, row.inputData),
    parameters: Object.fromEntries(parameters),
    asked: row.asked,
    outputs: tensorsOf(row.outputs, row.outputData),
  };
}

/** Those whose bytes are there. */
function tensorsOf(described: readonly CapturedTensor[], data: Uint8Array): readonly Tensor[] {
  const tensors: Tensor[] = [];
  let at = 0;
  for (const { name, datatype, shape, bytes, redacted } of described) {
    if (redacted === undefined && isDataType(datatype)) {
      tensors.push({ name, dataType: datatype, shape, data: data.subarray(at, at + bytes) });
    }
    at += bytes;
  }
  return tensors;
}
