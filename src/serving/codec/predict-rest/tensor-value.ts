import {
  bitsToFloat,
  type DataType,
  numberToBfloat,
  numberToHalf,
  ServingError,
  type Tensor,
  type TensorSpec,
} from '../../../core/index.js';
import { checkedCount, TensorLabel } from '../checked-tensor.js';
import type { SinkRequest } from '../v2-rest/element-sink.js';
import { openJsonRows, readJsonRow } from '../v2-rest/json-data.js';
import type { JsonScanner } from '../v2-rest/json-scanner.js';
import { shapeOfValue } from './value-shape.js';

/** What is to be known of an input to read its values from JSON. */
export type InputSpec = Pick<TensorSpec, 'name' | 'dataType' | 'optional'>;

/** Types that JSON has no form for in V2 are read as wider ones here: these bodies have no other way to carry them. */
const READ_AS: Partial<Record<DataType, DataType>> = { FP16: 'FP32', BF16: 'FP32' };

/** Reads the one value of an input that the scanner stands at, however deep it is nested: its shape is the tensor's. */
export function readTensorValue(scan: JsonScanner, spec: InputSpec): Tensor {
  const shape = shapeOfValue(scan);
  return readTensorRows(scan, spec, [scan.at], shape, shape);
}

/**
 * Reads values of one input, all of shape `row`, that begin at these places, one behind the other. `shape`: of the tensor they make.
 * Throws SHAPE_MISMATCH and DATA_TYPE_MISMATCH, naming the input. The scanner stands behind the last one.
 */
export function readTensorRows(
  scan: JsonScanner,
  { name, dataType }: InputSpec,
  places: readonly number[],
  row: readonly number[],
  shape: readonly number[],
): Tensor {
  const label = new TensorLabel('input', 0);
  label.name = name;
  const count = checkedCount(label, shape);
  const request: SinkRequest = {
    label,
    dataType: READ_AS[dataType] ?? dataType,
    count,
    allowNan: true,
    base64: true,
  };
  const sink = openJsonRows(scan, request, shape);
  const rowCount = checkedCount(label, row);
  for (const [index, place] of places.entries()) {
    scan.at = place;
    readJsonRow(scan, sink, request, row, index * rowCount);
  }
  const data = sink.bytes();
  return { name, dataType, shape, data: dataType === request.dataType ? data : narrowed(label, dataType, data) };
}

function narrowed(label: TensorLabel, dataType: DataType, data: Uint8Array): Uint8Array {
  const from = new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
  const to = new Uint16Array(from.length);
  const half = dataType === 'FP16';
  for (let i = 0; i < from.length; i++) {
    const value = from[i] as number;
    const bits = half ? numberToHalf(value) : numberToBfloat(value);
    const infinite = half
      ? (bits & 0x7fff) === 0x7c00
      : !Number.isNaN(value) && !Number.isFinite(bitsToFloat(bits << 16));
    if (infinite && Number.isFinite(value)) {
      throw new ServingError(
        'DATA_TYPE_MISMATCH',
        `${label}: element ${i} must be a number in range for ${dataType}, came ${value}`,
      );
    }
    to[i] = bits;
  }
  return new Uint8Array(to.buffer);
}
