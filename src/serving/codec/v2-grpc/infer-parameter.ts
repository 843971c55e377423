import type { ParameterValue } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { FIXED64, VARINT, type WireReader } from './wire-reader.js';

/** Reads one entry of a `map<string, InferParameter>` whose tag was read; integers beyond 2^53 are bigint. */
export function readParameterEntry(reader: WireReader, take: (name: string, value: ParameterValue) => void): void {
  const outer = reader.end;
  reader.end = reader.delimited();
  let name = '';
  let value: ParameterValue | undefined;
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) {
      const entry = reader.end;
      reader.end = reader.delimited();
      value = readValue(reader);
      reader.end = entry;
    } else reader.skip();
  }
  reader.end = outer;
  if (value === undefined) reader.fail(`parameter ${shown(name)} has no value`);
  take(name, value);
}

function readValue(reader: WireReader): ParameterValue | undefined {
  let value: ParameterValue | undefined;
  while (reader.next()) {
    if (reader.field === 3) value = reader.string();
    else if (reader.field === 4) {
      reader.expect(FIXED64);
      value = reader.double();
    } else if (reader.field === 1 || reader.field === 2 || reader.field === 5) {
      reader.expect(VARINT);
      if (reader.field === 1) value = reader.varint() !== 0;
      else value = reader.field === 2 ? reader.int64() : reader.uint64();
    } else reader.skip();
  }
  return value;
}
