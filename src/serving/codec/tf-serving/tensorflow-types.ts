import type { DataType } from '../../../core/index.js';

/** A data type as TensorFlow has it (`types.proto`). */
export interface TensorFlowType {
  readonly name: string;
  readonly number: number;
  /** Field of `TensorProto` that carries its elements one by one. */
  readonly field: number;
  /** How an element stands there: varints, `zigzag` never; fixed ones are the bytes themselves. */
  readonly wire: 'varint' | 'fixed' | 'bytes';
}

const type = (name: string, number: number, field: number, wire: TensorFlowType['wire']): TensorFlowType => ({
  name,
  number,
  field,
  wire,
});

/** Sources: tensorflow/core/framework `types.proto`, `tensor.proto`. */
export const TENSORFLOW_TYPES = {
  FP32: type('DT_FLOAT', 1, 5, 'fixed'),
  FP64: type('DT_DOUBLE', 2, 6, 'fixed'),
  INT32: type('DT_INT32', 3, 7, 'varint'),
  UINT8: type('DT_UINT8', 4, 7, 'varint'),
  INT16: type('DT_INT16', 5, 7, 'varint'),
  INT8: type('DT_INT8', 6, 7, 'varint'),
  BYTES: type('DT_STRING', 7, 8, 'bytes'),
  INT64: type('DT_INT64', 9, 10, 'varint'),
  BOOL: type('DT_BOOL', 10, 11, 'varint'),
  BF16: type('DT_BFLOAT16', 14, 13, 'varint'),
  UINT16: type('DT_UINT16', 17, 7, 'varint'),
  FP16: type('DT_HALF', 19, 13, 'varint'),
  UINT32: type('DT_UINT32', 22, 16, 'varint'),
  UINT64: type('DT_UINT64', 23, 17, 'varint'),
} as const satisfies Record<DataType, TensorFlowType>;
