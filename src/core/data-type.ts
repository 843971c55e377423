/**
 * The Open Inference Protocol's data types, one row each: everything any room knows about a data type stands here, so
 * that no room needs an `if` or a `switch` over them.
 */

export type DataType =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'BF16'
  | 'FP32'
  | 'FP64'
  | 'BYTES';

/** Typed arrays that hold elements of a data type in memory order. FP16, BF16 and BOOL are held as their bits. */
export type TypedArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

type TypedArrayConstructor = new (buffer: ArrayBufferLike, byteOffset?: number, length?: number) => TypedArray;

/** How the elements of a data type read and print in JSON. `none`: the data type has no JSON form (binary only). */
export type JsonForm = 'boolean' | 'integer' | 'integer64' | 'float' | 'string' | 'none';

/** The field of `InferTensorContents` that carries a data type in gRPC; `raw`: `raw_input_contents` only. */
export type ContentsField =
  | 'bool_contents'
  | 'int_contents'
  | 'int64_contents'
  | 'uint_contents'
  | 'uint64_contents'
  | 'fp32_contents'
  | 'fp64_contents'
  | 'bytes_contents'
  | 'raw';

export interface DataTypeFacts {
  /** Bytes an element takes on the wire and in memory; 0 for BYTES, whose elements vary. */
  readonly elementBytes: number;
  /** View of raw little-endian bytes; for BYTES the serialised form itself. */
  readonly array: TypedArrayConstructor;
  readonly json: JsonForm;
  /** Inclusive bounds of integer types, undefined for the others. */
  readonly min: bigint | undefined;
  readonly max: bigint | undefined;
  readonly contents: ContentsField;
  /** `ONNXTensorElementDataType` in ONNX Runtime's C API, and the type name of the ONNX specification. */
  readonly onnxElementType: number;
  readonly onnxName: string;
  /** `DataType` of Triton's ModelConfig: name and number. */
  readonly tritonName: string;
  readonly tritonNumber: number;
}

const U = (bits: number): [bigint, bigint] => [0n, (1n << BigInt(bits)) - 1n];
const I = (bits: number): [bigint, bigint] => [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n];

function row(
  elementBytes: number,
  array: TypedArrayConstructor,
  json: JsonForm,
  range: readonly [bigint, bigint] | undefined,
  contents: ContentsField,
  onnx: readonly [number, string],
  triton: readonly [string, number],
): DataTypeFacts {
  return {
    elementBytes,
    array,
    json,
    min: range?.[0],
    max: range?.[1],
    contents,
    onnxElementType: onnx[0],
    onnxName: onnx[1],
    tritonName: triton[0],
    tritonNumber: triton[1],
  };
}

/**
 * The table. Sources: Open Inference Protocol `inference_rest.md`, `open_inference_grpc.proto`;
 * `onnxruntime_c_api.h` (ONNXTensorElementDataType); Triton `model_config.proto` (DataType).
 */
export const DATA_TYPES = {
  BOOL: row(1, Uint8Array, 'boolean', undefined, 'bool_contents', [9, 'bool'], ['TYPE_BOOL', 1]),
  UINT8: row(1, Uint8Array, 'integer', U(8), 'uint_contents', [2, 'uint8'], ['TYPE_UINT8', 2]),
  UINT16: row(2, Uint16Array, 'integer', U(16), 'uint_contents', [4, 'uint16'], ['TYPE_UINT16', 3]),
  UINT32: row(4, Uint32Array, 'integer', U(32), 'uint_contents', [12, 'uint32'], ['TYPE_UINT32', 4]),
  UINT64: row(8, BigUint64Array, 'integer64', U(64), 'uint64_contents', [13, 'uint64'], ['TYPE_UINT64', 5]),
  INT8: row(1, Int8Array, 'integer', I(8), 'int_contents', [3, 'int8'], ['TYPE_INT8', 6]),
  INT16: row(2, Int16Array, 'integer', I(16), 'int_contents', [5, 'int16'], ['TYPE_INT16', 7]),
  INT32: row(4, Int32Array, 'integer', I(32), 'int_contents', [6, 'int32'], ['TYPE_INT32', 8]),
  INT64: row(8, BigInt64Array, 'integer64', I(64), 'int64_contents', [7, 'int64'], ['TYPE_INT64', 9]),
  FP16: row(2, Uint16Array, 'none', undefined, 'raw', [10, 'float16'], ['TYPE_FP16', 10]),
  BF16: row(2, Uint16Array, 'none', undefined, 'raw', [16, 'bfloat16'], ['TYPE_BF16', 14]),
  FP32: row(4, Float32Array, 'float', undefined, 'fp32_contents', [1, 'float'], ['TYPE_FP32', 11]),
  FP64: row(8, Float64Array, 'float', undefined, 'fp64_contents', [11, 'double'], ['TYPE_FP64', 12]),
  BYTES: row(0, Uint8Array, 'string', undefined, 'bytes_contents', [8, 'string'], ['TYPE_STRING', 13]),
} as const satisfies Record<DataType, DataTypeFacts>;

/** True where `name` is a data type of the protocol, exactly as it spells it. */
export function isDataType(name: unknown): name is DataType {
  return typeof name === 'string' && Object.hasOwn(DATA_TYPES, name);
}

const BY_ONNX = new Map<number, DataType>(
  (Object.keys(DATA_TYPES) as DataType[]).map((name) => [DATA_TYPES[name].onnxElementType, name]),
);
const BY_TRITON = new Map<string, DataType>(
  (Object.keys(DATA_TYPES) as DataType[]).map((name) => [DATA_TYPES[name].tritonName, name]),
);

/** Data type of an `ONNXTensorElementDataType`, or undefined where the protocol has none (complex, float8, int4 ...). */
export function dataTypeOfOnnx(elementType: number): DataType | undefined {
  return BY_ONNX.get(elementType);
}

/** Data type of Triton's `TYPE_*`, or undefined. */
export function dataTypeOfTriton(name: string): DataType | undefined {
  return BY_TRITON.get(name);
}
