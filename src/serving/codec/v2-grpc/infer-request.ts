import {
  type DataType,
  type InferenceRequest,
  isDataType,
  type MemoryPlace,
  type OutputRequest,
  type ParameterValue,
  ServingError,
  type Tensor,
  withForwarded,
} from '../../../core/index.js';
import { checkData, checkedCount, MAX_RANK, MAX_TENSORS, shown, TensorLabel } from '../checked-tensor.js';
import { isPlaceParameter, type PlacedTensors, PlaceParameters } from '../placed-tensors.js';
import { nonNegativeInteger, RequestParameters, refuseSharedMemory } from '../request-parameters.js';
import type { CallerContext } from '../request-parts.js';
import { readParameterEntry } from './infer-parameter.js';
import { readContents } from './tensor-contents.js';
import { LENGTH, VARINT, WireReader } from './wire-reader.js';

export interface CallContext extends CallerContext {
  /** Tensors in memory of the client; absent: such are refused. */
  readonly placed?: PlacedTensors | undefined;
}

/** One `InferInputTensor` before its data are known; contents at `start` to `end`, -1 where it has none. */
interface InputHead {
  readonly label: TensorLabel;
  readonly name: string;
  readonly dataType: DataType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/**
 * Decodes a `ModelInferRequest`. Raw contents, and typed floats in one packed run, are views of `bytes`, which must stay
 * untouched until the reply. Throws `MALFORMED_REQUEST`, `SHAPE_MISMATCH`, `DATA_TYPE_MISMATCH`, `UNSUPPORTED` (shared
 * memory). Memory taken is bounded by a small multiple of the message.
 */
export function decodeModelInfer(bytes: Uint8Array, context: CallContext): InferenceRequest {
  const reader = new WireReader(bytes);
  const heads: InputHead[] = [];
  const outputs: OutputRequest[] = [];
  const raw: Uint8Array[] = [];
  const parameters = new RequestParameters();
  const { placed } = context;
  /** Inputs in memory of the client, by index. */
  const places = placed && new Map<number, MemoryPlace>();
  let model = '';
  let version = '';
  let id = '';
  const addParameter = (name: string, value: ParameterValue) => parameters.add(name, value);
  while (reader.next()) {
    if (reader.field === 1) model = reader.string();
    else if (reader.field === 2) version = reader.string();
    else if (reader.field === 3) id = reader.string();
    else if (reader.field === 4) readParameterEntry(reader, addParameter);
    else if (reader.field === 5) heads.push(readInput(reader, bounded(heads.length, 'inputs'), places));
    else if (reader.field === 6) outputs.push(readOutput(reader, bounded(outputs.length, 'outputs'), placed));
    else if (reader.field === 7) {
      bounded(raw.length, 'raw_input_contents');
      raw.push(reader.view());
    } else reader.skip();
  }
  refuseTwice('input', heads);
  refuseTwice('output', outputs);
  const request: InferenceRequest = {
    model,
    version: versionOf(version),
    id,
    inputs:
      placed === undefined || places === undefined || places.size === 0
        ? joinContents(reader, heads, raw)
        : joinPlaced(reader, heads, raw, places, placed),
    rawInput: undefined,
    lease: context.lease,
    outputs,
    parameters: withForwarded(parameters.rest, context.caller),
    priority: parameters.priority,
    timeoutUs: parameters.timeoutUs,
    deadlineNs: context.deadlineNs,
    tenantHeader: context.tenantHeader,
    caller: context.caller,
    criticalityHeader: context.criticalityHeader,
    trace: undefined,
    receivedNs: context.receivedNs,
    decodedNs: context.nowNs(),
  };
  const { sequence } = parameters;
  if (sequence !== undefined) request.sequence = sequence;
  return request;
}

/** A version as gRPC carries it: digits, or empty for the version policy's choice. */
export function versionOf(text: string): number | undefined {
  if (text === '') return undefined;
  const version = /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
  if (version > 0) return version;
  throw new ServingError('MALFORMED_REQUEST', `model_version must be a positive integer, came ${shown(text)}`);
}

function joinContents(reader: WireReader, heads: readonly InputHead[], raw: readonly Uint8Array[]): Tensor[] {
  if (raw.length > 0 && raw.length !== heads.length) {
    throw new ServingError(
      'MALFORMED_REQUEST',
      `raw_input_contents has ${raw.length} entries for ${heads.length} inputs: all inputs are raw, or none`,
    );
  }
  const inputs: Tensor[] = [];
  for (let i = 0; i < heads.length; i++) {
    const { label, name, dataType, shape, start, end } = heads[i] as InputHead;
    const rawData = raw[i];
    if (rawData !== undefined) {
      if (start >= 0 && end > start) {
        throw new ServingError('MALFORMED_REQUEST', `${label} has both contents and raw_input_contents`);
      }
      checkData(label, dataType, shape, rawData);
      inputs.push({ name, dataType, shape, data: rawData });
      continue;
    }
    const count = checkedCount(label, shape);
    if (start < 0 && count > 0) {
      throw new ServingError('MALFORMED_REQUEST', `${label} has neither contents nor raw_input_contents`);
    }
    inputs.push({
      name,
      dataType,
      shape,
      data: readContents(reader, label, dataType, count, Math.max(start, 0), Math.max(end, 0)),
    });
  }
  return inputs;
}

/** Of which some lie in memory of the client: those have neither contents nor an entry among the raw ones. */
function joinPlaced(
  reader: WireReader,
  heads: readonly InputHead[],
  raw: readonly Uint8Array[],
  places: ReadonlyMap<number, MemoryPlace>,
  placed: PlacedTensors,
): Tensor[] {
  const sent = joinContents(
    reader,
    heads.filter((_, index) => !places.has(index)),
    raw,
  );
  return heads.map(({ label, name, dataType, shape, start, end }, index) => {
    const place = places.get(index);
    if (place === undefined) return sent.shift() as Tensor;
    if (end > start)
      throw new ServingError('MALFORMED_REQUEST', `${label} has contents beside a region of shared memory`);
    const data = placed.input(place);
    checkData(label, dataType, shape, data);
    return { name, dataType, shape, data };
  });
}

function readInput(reader: WireReader, index: number, places: Map<number, MemoryPlace> | undefined): InputHead {
  const outer = reader.end;
  reader.end = reader.delimited();
  const label = new TensorLabel('input', index);
  let name = '';
  let typeName = '';
  const shape: number[] = [];
  let start = -1;
  let end = -1;
  let place: PlaceParameters | undefined;
  while (reader.next()) {
    if (reader.field === 1) {
      name = reader.string();
      label.name = name;
    } else if (reader.field === 2) typeName = reader.string();
    else if (reader.field === 3) readShape(reader, label, shape);
    else if (reader.field === 4) {
      readParameterEntry(reader, (parameter, value) => {
        if (places === undefined) refuseSharedMemory(label, parameter);
        else if (isPlaceParameter(parameter)) {
          place ??= new PlaceParameters(label);
          place.add(parameter, value);
        }
      });
    } else if (reader.field === 5) {
      if (start >= 0) throw new ServingError('MALFORMED_REQUEST', `${label} has its contents twice`);
      end = reader.delimited();
      start = reader.at;
      reader.at = end;
    } else reader.skip();
  }
  reader.end = outer;
  if (!isDataType(typeName)) {
    throw new ServingError('DATA_TYPE_MISMATCH', `${label}: unknown datatype ${shown(typeName)}`);
  }
  if (place !== undefined) places?.set(index, place.place());
  return { label, name, dataType: typeName, shape, start, end };
}

function readShape(reader: WireReader, label: TensorLabel, shape: number[]): void {
  const outer = reader.end;
  if (reader.wire === LENGTH) reader.end = reader.delimited();
  else reader.expect(VARINT);
  do {
    if (reader.at === reader.end) break;
    if (shape.length === MAX_RANK) {
      throw new ServingError('SHAPE_MISMATCH', `${label}: its shape has more than ${MAX_RANK} dimensions`);
    }
    shape.push(Number(reader.int64()));
  } while (reader.wire === LENGTH);
  reader.end = outer;
}

function readOutput(reader: WireReader, index: number, placed: PlacedTensors | undefined): OutputRequest {
  const outer = reader.end;
  reader.end = reader.delimited();
  const label = new TensorLabel('output', index);
  let name = '';
  let classification = 0;
  let place: PlaceParameters | undefined;
  while (reader.next()) {
    if (reader.field === 1) {
      name = reader.string();
      label.name = name;
    } else if (reader.field === 2) {
      readParameterEntry(reader, (parameter, value) => {
        if (parameter === 'classification') classification = nonNegativeInteger(`${label}: classification`, value);
        else if (placed === undefined) refuseSharedMemory(label, parameter);
        else if (isPlaceParameter(parameter)) {
          place ??= new PlaceParameters(label);
          place.add(parameter, value);
        }
      });
    } else reader.skip();
  }
  reader.end = outer;
  if (place !== undefined) placed?.output(name, place.place());
  return { name, classification };
}

function bounded(index: number, what: string): number {
  if (index < MAX_TENSORS) return index;
  throw new ServingError('MALFORMED_REQUEST', `the request has more than ${MAX_TENSORS} ${what}`);
}

function refuseTwice(kind: string, named: readonly { readonly name: string }[]): void {
  if (named.length < 2) return;
  const names = new Set<string>();
  for (const { name } of named) {
    if (names.has(name)) throw new ServingError('MALFORMED_REQUEST', `the request has ${kind} ${shown(name)} twice`);
    names.add(name);
  }
}
