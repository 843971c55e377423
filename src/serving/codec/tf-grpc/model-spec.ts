import { checkModelName, MAX_VERSION, ServingError } from '../../../core/index.js';
import { VARINT, type WireReader } from '../v2-grpc/wire-reader.js';
import { fieldBytes, textFieldBytes, varintBytes, type WireWriter } from '../v2-grpc/wire-writer.js';

/** A model as TensorFlow Serving's clients name it: its version by number, by label, or not at all. */
export interface NamedModel {
  readonly model: string;
  readonly version: number | undefined;
  /** Empty = none. */
  readonly label: string;
  /** Empty = none. */
  readonly signature: string;
}

/** Reads the `ModelSpec` that follows. Throws MALFORMED_REQUEST for names and versions that cannot be. */
export function readModelSpec(reader: WireReader): NamedModel {
  const outer = reader.end;
  reader.end = reader.delimited();
  let name = '';
  let version: number | bigint | undefined;
  let label = '';
  let signature = '';
  while (reader.next()) {
    // Version and label are one choice: the later one counts.
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) {
      version = readInt64Value(reader);
      label = '';
    } else if (reader.field === 3) signature = reader.string();
    else if (reader.field === 4) {
      label = reader.string();
      version = undefined;
    } else reader.skip();
  }
  reader.end = outer;
  return named(name, version, label, signature);
}

/** The same of a decoded `ModelSpec`. */
export function namedModel(
  spec: {
    readonly name: string;
    readonly version?: { readonly value: number } | null;
    readonly version_label?: string;
    readonly signature_name: string;
  } | null,
): NamedModel {
  if (spec === null) throw new ServingError('MALFORMED_REQUEST', 'the request has no model_spec');
  return named(spec.name, spec.version?.value, spec.version_label ?? '', spec.signature_name);
}

function named(name: string, version: number | bigint | undefined, label: string, signature: string): NamedModel {
  const model = checkModelName(name);
  if (version === undefined) return { model, version: undefined, label, signature };
  if (version >= 1 && version <= MAX_VERSION) return { model, version: Number(version), label, signature };
  throw new ServingError(
    'MALFORMED_REQUEST',
    `the version of model_spec must be an integer from 1 to ${MAX_VERSION}, came ${version}`,
  );
}

function readInt64Value(reader: WireReader): number | bigint {
  const outer = reader.end;
  reader.end = reader.delimited();
  let value: number | bigint = 0;
  while (reader.next()) {
    if (reader.field === 1) {
      reader.expect(VARINT);
      value = reader.int64();
    } else reader.skip();
  }
  reader.end = outer;
  return value;
}

/** Bytes of a `ModelSpec` with name, version and signature. */
export function modelSpecBytes(model: string, version: number, signature: string): number {
  return textFieldBytes(model) + fieldBytes(1 + varintBytes(version)) + textFieldBytes(signature);
}

export function writeModelSpec(writer: WireWriter, model: string, version: number, signature: string): void {
  writer.text(1, model);
  writer.open(2, 1 + varintBytes(version));
  writer.bytes[writer.at++] = 0x08;
  writer.varint(version);
  writer.text(3, signature);
}
