/** A protobuf message by hand: fields in order, as `[number, value]`; a number is a varint, text and bytes have a length. */
export type ProtoFields = readonly (readonly [number, number | string | Uint8Array])[];

export function protobuf(fields: ProtoFields): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [field, value] of fields) {
    if (typeof value === 'number') parts.push(varint(field * 8), varint(value));
    else {
      const bytes = typeof value === 'string' ? Buffer.from(value) : value;
      parts.push(varint(field * 8 + 2), varint(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.from([...bytes, rest]);
}

/** The least that is an ONNX file: a model with an IR version and a graph, here with the tensors given. */
export function onnxModel(tensors: readonly Uint8Array[] = []): Uint8Array {
  return protobuf([
    [1, 8],
    [7, protobuf([[2, 'g'], ...tensors.map((tensor) => [5, tensor] as const)])],
  ]);
}

/** A TensorProto whose data lie in another file. */
export function externalTensor(entries: Readonly<Record<string, string>>): Uint8Array {
  const stored = Object.entries(entries).map(([key, value]) =>
    protobuf([
      [1, key],
      [2, value],
    ]),
  );
  return protobuf([[2, 1], [8, 'w'], ...stored.map((entry) => [13, entry] as const), [14, 1]]);
}
