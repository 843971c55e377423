import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATA_TYPES, type DataType, elementCount, ServingError, serialiseBytes, type Tensor } from '../core/index.js';
import { decodeElements } from './element-codec.js';
import { readNpy, writeNpy } from './npy.js';

/** An NPY file by hand: header fields and raw data. */
function npy(descr: string, fortran: boolean, shape: string, data: Uint8Array, version = 1): Buffer {
  const header = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${shape}, }\n`;
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(header.length);
  else length.writeUInt32LE(header.length);
  return Buffer.concat([
    Buffer.from('\x93NUMPY', 'latin1'),
    Buffer.from([version, 0]),
    length,
    Buffer.from(header),
    data,
  ]);
}
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

describe('NPY files', () => {
  const fixed = (Object.keys(DATA_TYPES) as DataType[]).filter(
    (dataType) => dataType !== 'BYTES' && dataType !== 'BF16',
  );

  it('give back what was written, for every data type and shape', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...fixed),
        fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
        (dataType, shape, bytes) => {
          const data = Uint8Array.from(
            { length: DATA_TYPES[dataType].elementBytes * elementCount(shape) },
            () => bytes.next().value as number,
          );
          const tensor: Tensor = { name: 'x', dataType, shape, data };
          const read = readNpy(writeNpy(tensor), 'x');
          expect({ ...read, data: [...read.data] }).toEqual({ ...tensor, data: [...data] });
        },
      ),
    );
  });

  it('start their data at a multiple of 64 bytes, as NumPy writes them', () => {
    const file = writeNpy({ name: 'x', dataType: 'FP32', shape: [2], data: floats(1, 2) });
    expect((file.length - 8) % 64).toBe(0);
    expect(file.toString('latin1', 10, 70)).toMatch(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2,\), \}/);
  });

  it('hold texts as S of the longest, less the zeros at the end', () => {
    const data = serialiseBytes(['ab', '', 'cde'].map((text) => Buffer.from(text)));
    const read = readNpy(writeNpy({ name: 'x', dataType: 'BYTES', shape: [3], data }), 'x');
    expect(read.dataType).toBe('BYTES');
    expect(Buffer.from(read.data)).toEqual(Buffer.from(data));
  });

  it('hold BF16 as float32', () => {
    const data = new Uint8Array(Uint16Array.of(0x3fc0, 0xc000).buffer);
    const read = readNpy(writeNpy({ name: 'x', dataType: 'BF16', shape: [2], data }), 'x');
    expect([read.dataType, ...decodeElements('FP32', read.data)]).toEqual(['FP32', 1.5, -2]);
  });

  it('are read in column-major order too', () => {
    const read = readNpy(npy('<f4', true, '(2, 3)', floats(1, 4, 2, 5, 3, 6)), 'x');
    expect(decodeElements('FP32', read.data)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('are read in big-endian byte order, as Unicode text, and with a long header', () => {
    expect(decodeElements('INT16', readNpy(npy('>i2', false, '(2,)', Uint8Array.of(1, 0, 0, 2)), 'x').data)).toEqual([
      256, 2,
    ]);
    const wide = Buffer.alloc(16);
    wide.writeUInt32LE(0x1f600, 0);
    wide.writeUInt32LE(0x61, 8);
    const texts = decodeElements('BYTES', readNpy(npy('<U2', false, '(2,)', wide, 2), 'x').data) as Uint8Array[];
    expect(texts.map((text) => Buffer.from(text).toString())).toEqual(['\u{1f600}', 'a']);
  });

  it.each([
    ['not an NPY file', Buffer.from('hello')],
    ['takes 16 bytes, 8 are there', npy('<f4', false, '(4,)', floats(1, 2))],
    ['have no data type', npy('<c8', false, '(1,)', new Uint8Array(8))],
    ['not that of a plain array', npy('|O', false, '(1,)', new Uint8Array(8)).subarray(0, 9)],
  ])('are refused where they are broken: %s', (_, file) => {
    expect(() => readNpy(file as Buffer, 'x')).toThrow(ServingError);
  });

  it("read NumPy's own file of the bundled example", () => {
    const read = readNpy(
      readFileSync(join(import.meta.dirname, '../../deploy/examples/samples/digits-10.npy')),
      'pixels',
    );
    expect([read.dataType, read.shape]).toEqual(['FP32', [10, 64]]);
  });
});
