import type { InferenceSession, Tensor as OrtTensor, Tensor as OrtTensorClass } from 'onnxruntime-node';
import {
  bytesElements,
  DATA_TYPES,
  type DataType,
  dataTypeOfOnnx,
  ServingError,
  type SignatureTensor,
  serialiseBytes,
  typedView,
} from '../../../core/index.js';
import type { ThreadTensor } from '../thread-model.js';

export type OrtTensorConstructor = typeof OrtTensorClass;

/** The binding's names of element types where they differ from the ONNX specification's. */
const BINDING_NAMES: Readonly<Record<string, string>> = { float: 'float32', double: 'float64' };

const BINDING_TYPES = Object.fromEntries(
  Object.entries(DATA_TYPES).map(([name, { onnxName }]) => [name, BINDING_NAMES[onnxName] ?? onnxName]),
) as Readonly<Record<DataType, OrtTensor.Type>>;

const DATA_TYPE_OF = new Map(Object.entries(BINDING_TYPES).map(([name, type]) => [type as string, name as DataType]));

/** A session's input or output for the signature. */
export function signatureTensor(metadata: InferenceSession.ValueMetadata): SignatureTensor {
  const { name } = metadata;
  if (!metadata.isTensor) {
    const foreignType = 'not a tensor (sequence, map or optional)';
    return { name, dataType: undefined, foreignType, dims: undefined, optional: false };
  }
  const dataType = DATA_TYPE_OF.get(metadata.type);
  return {
    name,
    dataType,
    foreignType: dataType === undefined ? metadata.type : undefined,
    dims: metadata.shape.map((dim) => (typeof dim === 'number' ? dim : -1)),
    optional: false,
  };
}

/**
 * Why the binding cannot open a model, from its "Unsupported data type: N" (bfloat16 and what the protocol has no name
 * for), or undefined where that is not the reason.
 */
export function unsupportedTypeReason(message: string): string | undefined {
  const number = /^Unsupported data type: (\d+)$/.exec(message)?.[1];
  if (number === undefined) return undefined;
  if (dataTypeOfOnnx(Number(number)) === 'BF16') {
    return "an input or output has type bfloat16, which engine 'node' cannot carry; use engine 'native'";
  }
  return `an input or output has ONNX element type ${number}, which no protocol data type stands for`;
}

/**
 * A tensor for the binding. Copied out of shared memory, which the binding refuses. Throws UNSUPPORTED for BYTES that are
 * not UTF-8 text without NUL: the binding would alter them silently.
 */
export function toBinding(Tensor: OrtTensorConstructor, { name, dataType, shape, data }: ThreadTensor): OrtTensor {
  const type = BINDING_TYPES[dataType];
  if (dataType === 'BYTES') return new Tensor('string', texts(name, data), shape);
  return new Tensor(type, typedView(dataType, data.slice()) as never, shape);
}

/** An output of the binding as bytes; a view of the binding's memory where it has a fixed element size. */
export function fromBinding(name: string, tensor: OrtTensor): ThreadTensor | undefined {
  const dataType = DATA_TYPE_OF.get(tensor.type);
  if (dataType === undefined) return undefined;
  const { dims, data } = tensor;
  if (dataType === 'BYTES') {
    const elements = (data as string[]).map((text) => Buffer.from(text));
    return { name, dataType, shape: dims, data: serialiseBytes(elements) };
  }
  const { buffer, byteOffset, byteLength } = data as Uint8Array;
  return { name, dataType, shape: dims, data: new Uint8Array(buffer, byteOffset, byteLength) };
}

/** Exact or not at all; a byte order mark is a character like others. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function texts(name: string, data: Uint8Array): string[] {
  return bytesElements(data).map((element, index) => {
    let text: string | undefined;
    try {
      text = UTF8.decode(element);
    } catch {
      text = undefined;
    }
    if (text !== undefined && !text.includes('\0')) return text;
    throw new ServingError(
      'UNSUPPORTED',
      `input '${name}', element ${index}: engine 'node' passes UTF-8 text without NUL only; use engine 'native'`,
    );
  });
}
