import {
  type BatchMember,
  elementCount,
  endOfBytesElement,
  type Lease,
  ServingError,
  type Tensor,
} from '../../core/index.js';

/** The rows `from` to `to` of a member: views, nothing is copied. */
export function rowsOf(member: BatchMember, from: number, to: number): BatchMember {
  return {
    inputs: member.inputs.map((tensor) => tensor && tensorRows(tensor, from, to)),
    rows: to - from,
    ...(member.lease === undefined ? {} : { lease: member.lease as Lease }),
    ...(member.parameters === undefined ? {} : { parameters: member.parameters }),
  };
}

function tensorRows(tensor: Tensor, from: number, to: number): Tensor {
  const rows = tensor.shape[0] as number;
  const shape = [to - from, ...tensor.shape.slice(1)];
  const { name, dataType, data } = tensor;
  if (dataType !== 'BYTES') {
    const rowBytes = data.byteLength / rows;
    return { name, dataType, shape, data: data.subarray(from * rowBytes, to * rowBytes) };
  }
  const rowElements = elementCount(tensor.shape) / rows;
  const start = skip(data, 0, from * rowElements);
  return { name, dataType, shape, data: data.subarray(start, skip(data, start, (to - from) * rowElements)) };
}

/** Offset after `elements` BYTES elements from `at`. */
function skip(data: Uint8Array, at: number, elements: number): number {
  let end = at;
  for (let left = elements; left > 0; left--) end = endOfBytesElement(data, end);
  return end;
}

/** Outputs of the parts of one request, in order, as one: a copy. Throws `OUTPUT_SHAPE_MISMATCH` where they do not fit together. */
export function mergeOutputs(parts: readonly (readonly Tensor[])[]): Tensor[] {
  const [first] = parts as readonly [readonly Tensor[]];
  return first.map((output, index) => {
    const pieces = parts.map((outputs) => outputs[index] as Tensor);
    for (const piece of pieces) checkAlike(output, piece);
    const data = new Uint8Array(pieces.reduce((bytes, piece) => bytes + piece.data.byteLength, 0));
    let at = 0;
    for (const piece of pieces) {
      data.set(piece.data, at);
      at += piece.data.byteLength;
    }
    const rows = pieces.reduce((sum, piece) => sum + (piece.shape[0] as number), 0);
    return { name: output.name, dataType: output.dataType, shape: [rows, ...output.shape.slice(1)], data };
  });
}

function checkAlike(a: Tensor, b: Tensor): void {
  const same = a.shape.length === b.shape.length && a.shape.every((dim, axis) => axis === 0 || dim === b.shape[axis]);
  if (same) return;
  throw new ServingError(
    'OUTPUT_SHAPE_MISMATCH',
    `output '${a.name}' of the model has shape [${a.shape.join(',')}] for one part of the request and [${b.shape.join(',')}] for another`,
  );
}
