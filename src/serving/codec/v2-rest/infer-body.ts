import { isUtf8 } from 'node:buffer';
import {
  type DataType,
  isDataType,
  type MemoryPlace,
  type OutputRequest,
  type ParameterValue,
  ServingError,
  type Tensor,
} from '../../../core/index.js';
import { checkData, checkedCount, MAX_RANK, MAX_TENSORS, shown, TensorLabel } from '../checked-tensor.js';
import { isPlaceParameter, type PlacedTensors, PlaceParameters } from '../placed-tensors.js';
import { nonNegativeInteger, RequestParameters, refuseSharedMemory } from '../request-parameters.js';
import type { DecodedBody } from './decoded-body.js';
import { readJsonData } from './json-data.js';
import { JsonScanner } from './json-scanner.js';
import { BINARY_REPLY, JSON_REPLY, type ReplyFormat } from './reply-format.js';

const NO_OUTPUTS: readonly OutputRequest[] = Object.freeze([]);
/** Up to here a name given twice is looked for in the list, past it in a set. */
const LISTED_NAMES = 16;

export interface BodyOptions {
  /** Length of the JSON text at the start of the body; the rest is binary tensor data. */
  readonly jsonBytes: number;
  readonly allowNan: boolean;
  /** Reply form where the request says nothing. */
  readonly binaryByDefault: boolean;
  /** Tensors in memory of the client; absent: such are refused. */
  readonly placed?: PlacedTensors | undefined;
}

/**
 * Decodes JSON, or JSON followed by binary tensor data (V2 `extension_binary_data`). Unknown keys are ignored, known ones
 * given twice refused; `null` for `id`, `parameters` or `outputs` is taken as absent. Binary inputs are views of `body`.
 * Cost: one pass over the JSON (two over `data` that comes before its `shape` and `datatype`).
 */
export function decodeBody(body: Uint8Array, options: BodyOptions): DecodedBody {
  const { jsonBytes } = options;
  if (jsonBytes > body.byteLength) {
    throw new ServingError(
      'MALFORMED_REQUEST',
      `the JSON part is declared ${jsonBytes} bytes long, the body has ${body.byteLength}`,
    );
  }
  const json = jsonBytes === body.byteLength ? body : body.subarray(0, jsonBytes);
  if (!isUtf8(json)) throw new ServingError('MALFORMED_REQUEST', 'the JSON text is not valid UTF-8');
  return new BodyReader(json, body, options).read();
}

type RootKey = 'inputs' | 'outputs' | 'parameters' | 'id' | 'model_name';

class BodyReader {
  readonly #scan: JsonScanner;
  readonly #body: Uint8Array;
  readonly #options: BodyOptions;
  /** Where the next binary input starts. */
  #binaryAt: number;
  #inputs: Tensor[] | undefined;
  #outputs: readonly OutputRequest[] = NO_OUTPUTS;
  #binary: boolean;
  #byName: Map<string, boolean> | undefined;
  readonly #parameters = new RequestParameters();
  /** Of the tensor at hand. */
  #place: PlaceParameters | undefined;

  constructor(json: Uint8Array, body: Uint8Array, options: BodyOptions) {
    this.#scan = new JsonScanner(json);
    this.#body = body;
    this.#options = options;
    this.#binaryAt = options.jsonBytes;
    this.#binary = options.binaryByDefault;
  }

  read(): DecodedBody {
    const scan = this.#scan;
    const seen = new SeenKeys<RootKey>('the request');
    let id = '';
    let modelName: string | undefined;
    scan.openObject('the request');
    for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
      if (key === 'inputs') {
        seen.add(key, 1);
        this.#inputs = this.#readNamed('input', (index) => this.#readInput(index));
      } else if (key === 'outputs') {
        seen.add(key, 2);
        if (!scan.tookNull()) this.#outputs = this.#readNamed('output', (index) => this.#readOutput(index));
      } else if (key === 'parameters') {
        seen.add(key, 4);
        if (!scan.tookNull()) this.#readParameters();
      } else if (key === 'id') {
        seen.add(key, 8);
        if (!scan.tookNull()) id = scan.string('id');
      } else if (key === 'model_name') {
        seen.add(key, 16);
        if (!scan.tookNull()) modelName = scan.string('model_name');
      } else scan.skip();
    }
    scan.finish();
    if (this.#inputs === undefined) throw new ServingError('MALFORMED_REQUEST', 'the request has no "inputs"');
    if (this.#binaryAt !== this.#body.byteLength) {
      throw new ServingError(
        'MALFORMED_REQUEST',
        `the body holds ${this.#body.byteLength - this.#options.jsonBytes} bytes of binary data, its inputs declare ${this.#binaryAt - this.#options.jsonBytes}`,
      );
    }
    const { rest, priority, timeoutUs, sequence } = this.#parameters;
    return {
      modelName,
      id,
      inputs: this.#inputs,
      outputs: this.#outputs,
      parameters: rest,
      priority,
      timeoutUs,
      sequence,
      format: this.#format(),
    };
  }

  #format(): ReplyFormat {
    if (this.#byName === undefined) return this.#binary ? BINARY_REPLY : JSON_REPLY;
    return { binary: this.#binary, byName: this.#byName };
  }

  #readParameters(): void {
    const scan = this.#scan;
    scan.openObject('parameters');
    let binarySeen = false;
    for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
      if (key === 'binary_data_output') {
        if (binarySeen) throw twice('parameters', key);
        binarySeen = true;
        this.#binary = scan.boolean('parameters.binary_data_output');
      } else this.#parameters.add(key, readParameter(scan));
    }
  }

  /** The array of `inputs` or `outputs`, each element by `readOne`; names may not repeat. */
  #readNamed<T extends { readonly name: string }>(what: 'input' | 'output', readOne: (index: number) => T): T[] {
    const scan = this.#scan;
    const read: T[] = [];
    const names = new SeenNames(what);
    scan.openArray(`${what}s`);
    for (let first = true; scan.element(first); first = false) {
      const one = readOne(read.length);
      names.add(one.name, read.length);
      read.push(one);
    }
    return read;
  }

  #readInput(index: number): Tensor {
    const scan = this.#scan;
    const label = new TensorLabel('input', index);
    const seen = new SeenKeys(label);
    let name: string | undefined;
    let dataType: DataType | undefined;
    let shape: number[] | undefined;
    let binaryBytes: number | undefined;
    let data: Uint8Array | undefined;
    let dataAt: number | undefined;
    let placed: MemoryPlace | undefined;
    scan.openObject('a tensor');
    for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
      if (key === 'name') {
        seen.add(key, 1);
        name = scan.string('name');
        label.name = name;
      } else if (key === 'shape') {
        seen.add(key, 2);
        shape = this.#readShape(label);
      } else if (key === 'datatype') {
        seen.add(key, 4);
        dataType = knownDataType(label, scan.string('datatype'));
      } else if (key === 'parameters') {
        seen.add(key, 8);
        if (!scan.tookNull()) binaryBytes = this.#readInputParameters(label);
        if (this.#place !== undefined) placed = this.#takePlace();
      } else if (key === 'data') {
        seen.add(key, 16);
        if (scan.tookNull()) continue;
        dataAt = scan.at;
        if (shape === undefined || dataType === undefined) scan.skip();
        else data = this.#readData(label, dataType, shape);
      } else scan.skip();
    }
    if (name === undefined) throw missing(label, 'name');
    if (shape === undefined) throw missing(label, 'shape');
    if (dataType === undefined) throw missing(label, 'datatype');
    if (placed !== undefined) {
      if (dataAt !== undefined || binaryBytes !== undefined)
        throw new ServingError('MALFORMED_REQUEST', `${label} has data beside a region of shared memory`);
      data = (this.#options.placed as PlacedTensors).input(placed);
      checkData(label, dataType, shape, data);
    } else if (binaryBytes !== undefined) {
      if (dataAt !== undefined) {
        throw new ServingError('MALFORMED_REQUEST', `${label} has both "data" and parameters.binary_data_size`);
      }
      data = this.#takeBinary(label, binaryBytes);
      checkData(label, dataType, shape, data);
    } else if (dataAt === undefined) {
      throw new ServingError('MALFORMED_REQUEST', `${label} has neither "data" nor parameters.binary_data_size`);
    } else if (data === undefined) {
      const after = scan.at;
      scan.at = dataAt;
      data = this.#readData(label, dataType, shape);
      scan.at = after;
    }
    return { name, dataType, shape, data };
  }

  #readData(label: TensorLabel, dataType: DataType, shape: readonly number[]): Uint8Array {
    const request = { label, dataType, count: checkedCount(label, shape), allowNan: this.#options.allowNan };
    return readJsonData(this.#scan, request, shape);
  }

  #takeBinary(label: TensorLabel, bytes: number): Uint8Array {
    const left = this.#body.byteLength - this.#binaryAt;
    if (bytes > left) {
      throw new ServingError(
        'MALFORMED_REQUEST',
        this.#options.jsonBytes === this.#body.byteLength
          ? `${label}: binary data need the header Inference-Header-Content-Length and the data after the JSON`
          : `${label}: binary_data_size is ${bytes}, ${left} bytes are left in the body`,
      );
    }
    const data = this.#body.subarray(this.#binaryAt, this.#binaryAt + bytes);
    this.#binaryAt += bytes;
    return data;
  }

  #readShape(label: TensorLabel): number[] {
    const scan = this.#scan;
    const shape: number[] = [];
    scan.openArray('shape');
    for (let first = true; scan.element(first); first = false) {
      if (shape.length === MAX_RANK) {
        throw new ServingError('SHAPE_MISMATCH', `${label}: its shape has more than ${MAX_RANK} dimensions`);
      }
      shape.push(Number(scan.number('shape')));
    }
    checkedCount(label, shape);
    return shape;
  }

  #readInputParameters(label: TensorLabel): number | undefined {
    const scan = this.#scan;
    let bytes: number | undefined;
    scan.openObject('parameters');
    for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
      if (key === 'binary_data_size') {
        if (bytes !== undefined) throw twice(`parameters of ${label}`, key);
        bytes = nonNegativeInteger('binary_data_size', scan.number(key));
      } else if (!this.#tookPlace(label, key)) scan.skip();
    }
    return bytes;
  }

  /** Whether a parameter says where the tensor lies. Throws `UNSUPPORTED` where it may not say so. */
  #tookPlace(label: TensorLabel, key: string): boolean {
    if (!isPlaceParameter(key)) return false;
    if (this.#options.placed === undefined) refuseSharedMemory(label, key);
    this.#place ??= new PlaceParameters(label);
    this.#place.add(key, readParameter(this.#scan));
    return true;
  }

  #takePlace(): MemoryPlace {
    const place = (this.#place as PlaceParameters).place();
    this.#place = undefined;
    return place;
  }

  #readOutput(index: number): OutputRequest {
    const scan = this.#scan;
    const label = new TensorLabel('output', index);
    const seen = new SeenKeys(label);
    let name: string | undefined;
    let binary: boolean | undefined;
    let classification = 0;
    scan.openObject('a tensor');
    for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
      if (key === 'name') {
        seen.add(key, 1);
        name = scan.string('name');
        label.name = name;
      } else if (key === 'parameters') {
        seen.add(key, 2);
        if (scan.tookNull()) continue;
        scan.openObject('parameters');
        for (let own = scan.key(true); own !== undefined; own = scan.key(false)) {
          if (own === 'binary_data') {
            seen.add(own, 4);
            binary = scan.boolean('binary_data');
          } else if (own === 'classification') {
            seen.add(own, 8);
            classification = nonNegativeInteger('classification', scan.number(own));
          } else if (!this.#tookPlace(label, own)) scan.skip();
        }
      } else scan.skip();
    }
    if (name === undefined) throw missing(label, 'name');
    if (this.#place !== undefined) (this.#options.placed as PlacedTensors).output(name, this.#takePlace());
    if (binary !== undefined) {
      this.#byName ??= new Map();
      this.#byName.set(name, binary);
    }
    return { name, classification };
  }
}

/** Refuses a key that comes twice in one object: keeping either would serve something the client may not mean. */
class SeenKeys<Key extends string = string> {
  readonly #where: string | TensorLabel;
  #bits = 0;

  constructor(where: string | TensorLabel) {
    this.#where = where;
  }

  add(key: Key, bit: number): void {
    if ((this.#bits & bit) !== 0) throw twice(this.#where, key);
    this.#bits |= bit;
  }
}

/** Refuses a name that comes twice, and lists without a bound. */
class SeenNames {
  readonly #kind: string;
  readonly #list: string[] = [];
  #set: Set<string> | undefined;

  constructor(kind: string) {
    this.#kind = kind;
  }

  add(name: string, index: number): void {
    if (index >= MAX_TENSORS) {
      throw new ServingError('MALFORMED_REQUEST', `the request has more than ${MAX_TENSORS} ${this.#kind}s`);
    }
    if (this.#set === undefined && index < LISTED_NAMES) {
      if (this.#list.includes(name)) throw this.#twice(name);
      this.#list.push(name);
      return;
    }
    this.#set ??= new Set(this.#list);
    if (this.#set.has(name)) throw this.#twice(name);
    this.#set.add(name);
  }

  #twice(name: string): ServingError {
    return new ServingError('MALFORMED_REQUEST', `the request has ${this.#kind} ${shown(name)} twice`);
  }
}

function readParameter(scan: JsonScanner): ParameterValue {
  const byte = scan.peek();
  if (byte === 0x22) return scan.string('a parameter');
  if (byte === 0x74 || byte === 0x66) return scan.boolean('a parameter');
  return scan.number('a parameter: boolean, number or string');
}

function knownDataType(label: TensorLabel, name: string): DataType {
  if (isDataType(name)) return name;
  throw new ServingError('DATA_TYPE_MISMATCH', `${label}: unknown datatype ${shown(name)}`);
}

function missing(label: TensorLabel, key: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', `${label} has no "${key}"`);
}

function twice(where: string | TensorLabel, what: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', `${where} has ${shown(what)} twice`);
}
