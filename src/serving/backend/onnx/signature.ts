import { dataTypeOfOnnx, type ModelSignature, type SignatureTensor } from '../../../core/index.js';
import { ONNX_TYPES, type OrtFunctionName } from './api-table.js';
import type { OrtLibrary } from './library.js';
import type { Address } from './native-memory.js';
import { check } from './status.js';

type Kind = 'Input' | 'Output' | 'OverridableInitializer';

/** `ONNXTensorElementDataType` names that the protocol has no data type for. */
const FOREIGN_ELEMENTS: Readonly<Record<number, string>> = {
  14: 'complex64',
  15: 'complex128',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  21: 'uint4',
  22: 'int4',
  23: 'float4e2m1',
  24: 'float8e8m0',
  25: 'uint2',
  26: 'int2',
};

/** Reads a session's inputs and outputs: names, data types, dimensions (-1 = symbolic). */
export function readSignature(library: OrtLibrary, session: Address): Required<ModelSignature> {
  return {
    inputs: readAll(library, session, 'Input'),
    outputs: readAll(library, session, 'Output'),
    overridable: readAll(library, session, 'OverridableInitializer').map((tensor) => ({ ...tensor, optional: true })),
  };
}

function readAll(library: OrtLibrary, session: Address, kind: Kind): SignatureTensor[] {
  return readEach(library, session, kind, (name, typeInfo) => ({
    name,
    optional: false,
    ...readType(library, typeInfo),
  }));
}

/** What `read` makes of each tensor of a kind; the type info is its until it returns. */
function readEach<T>(
  library: OrtLibrary,
  session: Address,
  kind: Kind,
  read: (name: string, typeInfo: Address) => T,
): T[] {
  const { api, scratch } = library;
  const call = (suffix: string) => api[`SessionGet${kind}${suffix}` as OrtFunctionName];
  check(api, call('Count')(session, scratch.address));
  const count = scratch.word(0);
  const tensors: T[] = [];
  for (let i = 0; i < count; i++) {
    check(api, call('Name')(session, i, library.allocator, scratch.address));
    const nameAt = scratch.word(0);
    const name = library.textAt(nameAt);
    check(api, api.AllocatorFree(library.allocator, nameAt));
    check(api, call('TypeInfo')(session, i, scratch.address));
    const typeInfo = scratch.word(0);
    try {
      tensors.push(read(name, typeInfo));
    } finally {
      api.ReleaseTypeInfo(typeInfo);
    }
  }
  return tensors;
}

/** One axis of a tensor as the model file declares it. */
export interface Axis {
  /** -1: not fixed. */
  readonly size: number;
  /** Its name where it is not fixed and has one; else empty. Axes of one name have one size. */
  readonly symbol: string;
}

/** The axes of a session's inputs or outputs that are tensors of a declared shape, by name. */
export function readAxes(
  library: OrtLibrary,
  session: Address,
  kind: 'Input' | 'Output',
): ReadonlyMap<string, readonly Axis[]> {
  const axes = new Map<string, readonly Axis[]>();
  readEach(library, session, kind, (name, typeInfo) => {
    const { dims } = readType(library, typeInfo);
    if (dims === undefined) return;
    const symbols = readSymbols(library, typeInfo, dims.length);
    axes.set(
      name,
      dims.map((size, i) => ({ size, symbol: symbols[i] as string })),
    );
  });
  return axes;
}

function readSymbols(library: OrtLibrary, typeInfo: Address, rank: number): string[] {
  const { api, scratch } = library;
  check(api, api.CastTypeInfoToTensorInfo(typeInfo, scratch.address));
  const info = scratch.word(0);
  if (info === 0 || rank === 0) return new Array(rank).fill('');
  check(api, api.GetSymbolicDimensions(info, scratch.address, rank));
  return Array.from({ length: rank }, (_, i) => scratch.word(i)).map((at) => library.textAt(at));
}

type TypeFacts = Pick<SignatureTensor, 'dataType' | 'foreignType' | 'dims'>;

function readType(library: OrtLibrary, typeInfo: Address): TypeFacts {
  const { api, scratch } = library;
  check(api, api.GetOnnxTypeFromTypeInfo(typeInfo, scratch.address));
  const kind = ONNX_TYPES[scratch.int(0)] ?? 'unknown';
  if (kind === 'tensor') return readTensorType(library, typeInfo);
  if (kind === 'optional') return readOptionalType(library, typeInfo);
  return { dataType: undefined, foreignType: kind, dims: undefined };
}

/** An input of type optional(tensor) takes a tensor; ONNX Runtime's C API has no way to pass "none". */
function readOptionalType(library: OrtLibrary, typeInfo: Address): TypeFacts {
  const { api, scratch } = library;
  check(api, api.CastTypeInfoToOptionalTypeInfo(typeInfo, scratch.address));
  const optional = scratch.word(0);
  if (optional === 0) return { dataType: undefined, foreignType: 'optional', dims: undefined };
  check(api, api.GetOptionalContainedTypeInfo(optional, scratch.address));
  const contained = scratch.word(0);
  try {
    const facts = readType(library, contained);
    return facts.foreignType === undefined ? facts : { ...facts, foreignType: `optional(${facts.foreignType})` };
  } finally {
    api.ReleaseTypeInfo(contained);
  }
}

function readTensorType(library: OrtLibrary, typeInfo: Address): TypeFacts {
  const { api, scratch } = library;
  check(api, api.CastTypeInfoToTensorInfo(typeInfo, scratch.address));
  const info = scratch.word(0);
  check(api, api.GetTensorElementType(info, scratch.address));
  const element = scratch.int(0);
  const dataType = dataTypeOfOnnx(element);
  const foreignType = dataType === undefined ? (FOREIGN_ELEMENTS[element] ?? `element type ${element}`) : undefined;
  const shaped = !library.has('TensorTypeAndShape_HasShape') || Boolean(api.TensorTypeAndShape_HasShape(info));
  return { dataType, foreignType, dims: shaped ? readDimensions(library, info) : undefined };
}

/** Dimensions of an `OrtTensorTypeAndShapeInfo`; -1 where they are symbolic. */
export function readDimensions(library: OrtLibrary, info: Address): number[] {
  const { api, scratch } = library;
  check(api, api.GetDimensionsCount(info, scratch.address));
  const rank = scratch.word(0);
  const dims: number[] = [];
  if (rank === 0) return dims;
  if (rank > MAX_RANK) throw new Error(`a tensor of rank ${rank}`);
  check(api, api.GetDimensions(info, scratch.address, rank));
  for (let i = 0; i < rank; i++) dims.push(scratch.signedWord(i));
  return dims;
}

/** More axes than any operator of ONNX takes; the scratch memory holds as many. */
export const MAX_RANK = 256;
