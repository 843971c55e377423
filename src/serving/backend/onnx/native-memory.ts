import { koffiModule } from './koffi-module.js';

/** An address in this process. Below 2^48, so exact in a number. */
export type Address = number;

/** Vector loads of ONNX Runtime's kernels never straddle a cache line from here. */
const ALIGNMENT = 64;

const addresses = new WeakMap<ArrayBufferLike, Address>();

/** Where a SharedArrayBuffer begins, for ever: it cannot be moved. Valid as long as the buffer is reachable. */
export function addressOf(buffer: ArrayBufferLike): Address {
  if (!(buffer instanceof SharedArrayBuffer)) throw new Error('only shared memory has an address that stays');
  let address = addresses.get(buffer);
  if (address === undefined) {
    address = Number(koffiModule().address(new Uint8Array(buffer)));
    addresses.set(buffer, address);
  }
  return address;
}

/**
 * Memory that both JavaScript and native code see: a SharedArrayBuffer, so it can be neither moved, detached nor
 * transferred. Its address is valid as long as this object (or `bytes`) is reachable: whoever hands the address to a
 * native call keeps it reachable until that call has returned (a run's record does, see `runs-in-flight.ts`).
 */
export class NativeMemory {
  readonly bytes: Uint8Array;
  readonly address: Address;
  readonly #words: Uint32Array;

  /** `byteLength` bytes of zeros at a 64-byte boundary; at least 8, so that the address is never null. */
  constructor(byteLength: number) {
    const length = Math.max(8, (byteLength + 7) & ~7);
    const buffer = new SharedArrayBuffer(length + ALIGNMENT);
    const base = addressOf(buffer);
    const offset = (ALIGNMENT - (base % ALIGNMENT)) % ALIGNMENT;
    this.bytes = new Uint8Array(buffer, offset, length);
    this.#words = new Uint32Array(buffer, offset, length >> 2);
    this.address = base + offset;
  }

  /** Writes an unsigned 64-bit value (a pointer, a size, a dimension) as the `index`th one. */
  setWord(index: number, value: number): void {
    this.#words[index * 2] = value >>> 0;
    this.#words[index * 2 + 1] = Math.floor(value / 0x1_0000_0000);
  }

  /** The `index`th 64-bit value. Exact below 2^53. */
  word(index: number): number {
    return (this.#words[index * 2] as number) + (this.#words[index * 2 + 1] as number) * 0x1_0000_0000;
  }

  /** The `index`th 64-bit value as a signed one (dimensions: -1). */
  signedWord(index: number): number {
    return (this.#words[index * 2] as number) + ((this.#words[index * 2 + 1] as number) | 0) * 0x1_0000_0000;
  }

  /** The low 32 bits of the `index`th 64-bit value, signed (C `int` out parameters). */
  int(index: number): number {
    return (this.#words[index * 2] as number) | 0;
  }
}

/** NUL-terminated UTF-8 text in native memory. */
export function nativeText(text: string): NativeMemory {
  const encoded = Buffer.from(text, 'utf8');
  const memory = new NativeMemory(encoded.byteLength + 1);
  memory.bytes.set(encoded);
  return memory;
}
