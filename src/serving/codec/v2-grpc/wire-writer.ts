import { type ByteCopy, type ParameterValue, setBytes } from '../../../core/index.js';

/** Bytes a varint takes; `value` is a non-negative safe integer. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Bytes of a length-delimited field with a one-byte tag. */
export function fieldBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}

export function textBytes(text: string): number {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return Buffer.byteLength(text);
  return text.length;
}

/** Bytes of a string field with a one-byte tag; 0 for the empty string, which is not written. */
export function textFieldBytes(text: string): number {
  return text === '' ? 0 : fieldBytes(textBytes(text));
}

/** Writes the protocol buffers wire format into a buffer whose size was computed before. All tags are of one byte. */
export class WireWriter {
  readonly bytes: Buffer;
  readonly #copy: ByteCopy;
  at = 0;

  constructor(bytes: Buffer, copy: ByteCopy = setBytes) {
    this.bytes = bytes;
    this.#copy = copy;
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.at++] = rest;
  }

  /** Tag and length of a length-delimited field. */
  open(field: number, length: number): void {
    this.bytes[this.at++] = (field << 3) | 2;
    this.varint(length);
  }

  text(field: number, text: string): void {
    if (text === '') return;
    const length = textBytes(text);
    this.open(field, length);
    if (length === text.length && length <= 64) {
      for (let i = 0; i < length; i++) this.bytes[this.at++] = text.charCodeAt(i);
    } else this.at += this.bytes.write(text, this.at, 'utf8');
  }

  view(field: number, data: Uint8Array): void {
    this.open(field, data.byteLength);
    this.#copy(this.bytes, this.at, data);
    this.at += data.byteLength;
  }
}

/** An `InferParameter` message of its own; parameters are few and small. */
export function parameterMessage(value: ParameterValue): Buffer {
  if (typeof value === 'boolean') return Buffer.from([0x08, value ? 1 : 0]);
  if (typeof value === 'string') {
    const writer = new WireWriter(Buffer.alloc(value === '' ? 2 : textFieldBytes(value)));
    if (value === '') writer.open(3, 0);
    else writer.text(3, value);
    return writer.bytes;
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    const bytes = Buffer.alloc(9);
    bytes[0] = 0x21;
    bytes.writeDoubleLE(value, 1);
    return bytes;
  }
  const wide = BigInt(value);
  const unsigned = wide > 0x7fff_ffff_ffff_ffffn;
  const bytes = [unsigned ? 0x28 : 0x10];
  let rest = BigInt.asUintN(64, wide);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
