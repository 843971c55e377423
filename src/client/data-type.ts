/** What the elements of an output come as; row-major. */
export interface OutputData {
  /** 0 or 1 each. */
  BOOL: Uint8Array;
  UINT8: Uint8Array;
  UINT16: Uint16Array;
  UINT32: Uint32Array;
  UINT64: BigUint64Array;
  INT8: Int8Array;
  INT16: Int16Array;
  INT32: Int32Array;
  INT64: BigInt64Array;
  /** The bits of each element: see `fromFloat16`. */
  FP16: Uint16Array;
  /** The bits of each element: see `fromBfloat16`. */
  BF16: Uint16Array;
  FP32: Float32Array;
  FP64: Float64Array;
  /** See `textsOf` for them as strings. */
  BYTES: readonly Uint8Array[];
}

/** What the elements of an input may come as; row-major. Halves are bits: see `toFloat16`, `toBfloat16`. */
export interface InputData extends Omit<OutputData, 'BOOL' | 'UINT8' | 'BYTES'> {
  BOOL: readonly boolean[] | Uint8Array;
  UINT8: Uint8Array | Uint8ClampedArray;
  /** Strings go as UTF-8. */
  BYTES: readonly (string | Uint8Array)[];
}

/** Data types of the protocol, as the wire spells them. */
export type DataType = keyof OutputData;

/** Typed arrays that hold elements of fixed size. */
export type ElementArray = Exclude<OutputData[DataType], readonly Uint8Array[]>;
type ElementArrayConstructor = new (buffer: ArrayBuffer, byteOffset: number, length: number) => ElementArray;

/** The typed array and the bytes of an element, by data type; BYTES has neither. */
export const ELEMENTS = {
  BOOL: [Uint8Array, 1],
  UINT8: [Uint8Array, 1],
  UINT16: [Uint16Array, 2],
  UINT32: [Uint32Array, 4],
  UINT64: [BigUint64Array, 8],
  INT8: [Int8Array, 1],
  INT16: [Int16Array, 2],
  INT32: [Int32Array, 4],
  INT64: [BigInt64Array, 8],
  FP16: [Uint16Array, 2],
  BF16: [Uint16Array, 2],
  FP32: [Float32Array, 4],
  FP64: [Float64Array, 8],
} as const satisfies Record<Exclude<DataType, 'BYTES'>, readonly [ElementArrayConstructor, number]>;

/** The data type that an array tells by itself, by the name of its class. FP16, BF16 and BOOL as bytes have to be named. */
export const TOLD_BY: ReadonlyMap<string, DataType> = new Map<string, DataType>([
  ['Uint8Array', 'UINT8'],
  ['Uint8ClampedArray', 'UINT8'],
  ['Uint16Array', 'UINT16'],
  ['Uint32Array', 'UINT32'],
  ['BigUint64Array', 'UINT64'],
  ['Int8Array', 'INT8'],
  ['Int16Array', 'INT16'],
  ['Int32Array', 'INT32'],
  ['BigInt64Array', 'INT64'],
  ['Float32Array', 'FP32'],
  ['Float64Array', 'FP64'],
]);

/** True where `name` is a data type of the protocol. */
export function isDataType(name: unknown): name is DataType {
  return name === 'BYTES' || (typeof name === 'string' && Object.hasOwn(ELEMENTS, name));
}
