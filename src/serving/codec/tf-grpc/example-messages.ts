import {
  DATA_TYPES,
  type DataType,
  numberToBfloat,
  numberToHalf,
  ServingError,
  serialiseBytes,
  type Tensor,
} from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { type ShapedSpec, shapeOfExamples } from '../tf-serving/row-shape.js';
import { FIXED32, LENGTH, VARINT, WireReader } from '../v2-grpc/wire-reader.js';
import { type NamedModel, readModelSpec } from './model-spec.js';

/** A span of the message. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** A `ClassificationRequest` or `RegressionRequest`, its examples not yet read: that takes the inputs of the model. */
export interface ExamplesMessage {
  readonly named: NamedModel;
  /** One tensor for each input, of a row for each example. Throws as `decodeExamplesRequest`, and MISSING_INPUT. */
  inputs(specs: readonly ShapedSpec[], batched: boolean): Tensor[];
}

type Features = ReadonlyMap<string, Span>;

/**
 * Reads the envelope of a `ClassificationRequest` or `RegressionRequest`; `maxBytes`: of a tensor that features of the context are repeated for.
 * Throws MALFORMED_REQUEST.
 */
export function decodeExamplesRequest(bytes: Uint8Array, maxBytes: number): ExamplesMessage {
  let named: NamedModel | undefined;
  const inputs = readExamples(bytes, maxBytes, (reader) => {
    named = readModelSpec(reader);
  });
  if (named === undefined) throw new ServingError('MALFORMED_REQUEST', 'the request has no model_spec');
  return { named, inputs };
}

/** Reads a message whose field 2 is an `Input`; `head` reads each field 1. Throws as `decodeExamplesRequest`. */
export function readExamples(
  bytes: Uint8Array,
  maxBytes: number,
  head: (reader: WireReader) => void,
): ExamplesMessage['inputs'] {
  const reader = new WireReader(bytes);
  const examples: Features[] = [];
  let context: Features = new Map();
  while (reader.next()) {
    if (reader.field === 1) head(reader);
    else if (reader.field === 2) {
      // Input: `example_list` and `example_list_with_context` have their examples in field 1 both.
      inside(reader, () => {
        if (reader.field !== 1 && reader.field !== 2) return reader.skip();
        inside(reader, () => {
          if (reader.field === 1) examples.push(readExample(reader));
          else if (reader.field === 2) context = readExample(reader);
          else reader.skip();
        });
      });
    } else reader.skip();
  }
  if (examples.length === 0) throw new ServingError('MALFORMED_REQUEST', 'the request has no examples');
  return (specs, batched) => specs.flatMap((spec) => inputOf(reader, spec, batched, examples, context, maxBytes) ?? []);
}

function inputOf(
  reader: WireReader,
  spec: ShapedSpec,
  batched: boolean,
  examples: readonly Features[],
  context: Features,
  maxBytes: number,
): Tensor | undefined {
  const { name, dataType, optional } = spec;
  const values = new FeatureValues(name, dataType);
  let perRow = -1;
  for (const [index, example] of examples.entries()) {
    const span = example.get(name) ?? context.get(name);
    if (span === undefined) {
      if (optional && index === 0 && !examples.some((one) => one.has(name))) return undefined;
      throw new ServingError('MISSING_INPUT', `example ${index} has no input ${shown(name)}`);
    }
    const before = values.count;
    values.read(reader, span);
    perRow = perRow < 0 ? values.count : perRow;
    if (values.count - before !== perRow)
      throw new ServingError(
        'SHAPE_MISMATCH',
        `input ${shown(name)}: example ${index} has ${values.count - before} values, those before it ${perRow}`,
      );
    if (values.bytes > maxBytes)
      throw new ServingError('BODY_TOO_LARGE', `input ${shown(name)} takes more than ${maxBytes} bytes`);
  }
  // What does not fit keeps its flat shape: admission says what was expected.
  const shape = shapeOfExamples(spec, batched, examples.length, perRow) ?? [examples.length, perRow];
  return { name, dataType, shape, data: values.data() };
}

/** Gathers the values of one input, row by row. */
class FeatureValues {
  count = 0;
  /** At most what they take. */
  bytes = 0;
  readonly #name: string;
  readonly #dataType: DataType;
  readonly #numbers: (number | bigint)[] = [];
  readonly #strings: Uint8Array[] = [];

  constructor(name: string, dataType: DataType) {
    this.#name = name;
    this.#dataType = dataType;
  }

  /** A `Feature`: one list of bytes, floats or integers. */
  read(reader: WireReader, { from, to }: Span): void {
    reader.at = from;
    reader.end = to;
    while (reader.next()) {
      const kind = reader.field;
      if (kind < 1 || kind > 3) reader.skip();
      else
        inside(reader, () => {
          if (reader.field === 1) this.#list(reader, kind);
          else reader.skip();
        });
    }
    this.count = this.#numbers.length + this.#strings.length;
  }

  data(): Uint8Array {
    if (this.#dataType === 'BYTES') return serialiseBytes(this.#strings);
    const { array, elementBytes } = DATA_TYPES[this.#dataType];
    const out = new array(new ArrayBuffer(elementBytes * this.#numbers.length)) as unknown as (number | bigint)[];
    const convert = CONVERT[this.#dataType];
    for (const [index, value] of this.#numbers.entries()) out[index] = convert === undefined ? value : convert(value);
    return new Uint8Array((out as unknown as Uint8Array).buffer);
  }

  #list(reader: WireReader, kind: number): void {
    const floats =
      DATA_TYPES[this.#dataType].min === undefined && this.#dataType !== 'BOOL' && this.#dataType !== 'BYTES';
    if ((this.#dataType === 'BYTES') !== (kind === 1) || (kind === 2 && !floats))
      throw new ServingError(
        'DATA_TYPE_MISMATCH',
        `input ${shown(this.#name)}: ${this.#dataType} does not come of a ${['bytes_list', 'float_list', 'int64_list'][kind - 1]}`,
      );
    if (kind === 1) {
      const bytes = reader.view();
      this.#strings.push(bytes);
      this.bytes += bytes.byteLength + 4;
      return;
    }
    const outer = reader.end;
    if (reader.wire === LENGTH) reader.end = reader.delimited();
    else {
      reader.expect(kind === 2 ? FIXED32 : VARINT);
      if (kind === 2) this.#float(reader);
      else this.#integer(reader);
      return;
    }
    while (reader.at < reader.end) {
      if (kind === 2) this.#float(reader);
      else this.#integer(reader);
    }
    reader.end = outer;
  }

  #float(reader: WireReader): void {
    const start = reader.take(4);
    const { buffer, byteOffset } = reader.bytes;
    this.#push(new DataView(buffer, byteOffset + start, 4).getFloat32(0, true));
  }

  #integer(reader: WireReader): void {
    const value = reader.int64();
    const { min, max } = DATA_TYPES[this.#dataType];
    if (min !== undefined && max !== undefined && (BigInt(value) < min || BigInt(value) > max))
      throw new ServingError(
        'DATA_TYPE_MISMATCH',
        `input ${shown(this.#name)}: ${value} is not from ${min} to ${max}, as ${this.#dataType} is`,
      );
    this.#push(value);
  }

  #push(value: number | bigint): void {
    this.#numbers.push(value);
    this.bytes += 8;
  }
}

/** What a typed array takes for a value, where it is not the value itself. */
const CONVERT: Partial<Record<DataType, (value: number | bigint) => number | bigint>> = {
  INT64: BigInt,
  UINT64: BigInt,
  FP32: Number,
  FP64: Number,
  FP16: (value) => numberToHalf(Number(value)),
  BF16: (value) => numberToBfloat(Number(value)),
  BOOL: (value) => (Number(value) === 0 ? 0 : 1),
};

/** Features by name; the later of one name counts, as maps of protobuf have it. */
function readExample(reader: WireReader): Features {
  const features = new Map<string, Span>();
  inside(reader, () => {
    if (reader.field !== 1) return reader.skip();
    inside(reader, () => {
      if (reader.field !== 1) return reader.skip();
      let name = '';
      let span: Span | undefined;
      inside(reader, () => {
        if (reader.field === 1) name = reader.string();
        else if (reader.field === 2) {
          const to = reader.delimited();
          span = { from: reader.at, to };
          reader.at = to;
        } else reader.skip();
      });
      if (span !== undefined) features.set(name, span);
    });
  });
  return features;
}

/** Reads the fields of the message that follows, one by one. */
function inside(reader: WireReader, field: () => void): void {
  const outer = reader.end;
  reader.end = reader.delimited();
  while (reader.next()) field();
  reader.end = outer;
}
