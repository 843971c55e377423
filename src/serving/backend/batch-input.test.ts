import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tensorSpec } from '../../../test/support/specs.js';
import { type Batch, serialiseBytes, type Tensor } from '../../core/index.js';
import { BatchInput } from './batch-input.js';

const PAD = -7;

/** Members of shape [rows, lead, length, tail] or, with two length axes, [rows, length, length, tail]. */
const batches = fc.record({
  twoAxes: fc.boolean(),
  lead: fc.integer({ min: 1, max: 3 }),
  tail: fc.integer({ min: 1, max: 3 }),
  members: fc.array(fc.record({ rows: fc.integer({ min: 1, max: 3 }), length: fc.integer({ min: 1, max: 6 }) }), {
    minLength: 1,
    maxLength: 5,
  }),
  moreRows: fc.integer({ min: 0, max: 3 }),
  moreLength: fc.integer({ min: 0, max: 3 }),
  shared: fc.boolean(),
  start: fc.integer({ min: 0, max: 2 }),
});

type Shape = readonly [rows: number, a: number, b: number, c: number];

/** Element of a member at a place: told apart from every other's. */
const valueAt = (member: number, place: readonly number[]) =>
  place.reduce((sum, index) => sum * 10 + index, member + 1);

function tensorOf(member: number, shape: Shape): Tensor {
  const values: number[] = [];
  for (let r = 0; r < shape[0]; r++)
    for (let a = 0; a < shape[1]; a++)
      for (let b = 0; b < shape[2]; b++) for (let c = 0; c < shape[3]; c++) values.push(valueAt(member, [r, a, b, c]));
  return { name: 'x', dataType: 'INT32', shape, data: new Uint8Array(Int32Array.from(values).buffer) };
}

describe('the input of an execution', () => {
  it('holds every member at its place, pad values beyond its length, and the first row again in dummy rows', () => {
    fc.assert(
      fc.property(batches, ({ twoAxes, lead, tail, members, moreRows, moreLength, shared, start }) => {
        const axes = twoAxes ? [1, 2] : [2];
        const shapes = members.map(({ rows, length }): Shape => [rows, twoAxes ? length : lead, length, tail]);
        const rows = members.reduce((sum, member) => sum + member.rows, 0);
        const length = Math.max(...members.map((member) => member.length)) + moreLength;
        const batch: Batch = {
          version: { model: 'm', version: 1 },
          members: shapes.map((shape, i) => ({ inputs: [tensorOf(i, shape)], rows: shape[0] })),
          rows,
          padded: { rows: rows + moreRows, length },
        };
        const spec = tensorSpec('x', 'INT32', [twoAxes ? -1 : lead, -1, tail], {
          lengthAxes: { axes, padValue: PAD },
        });
        const input = new BatchInput(spec, true);
        const whole: Shape = [rows + moreRows, twoAxes ? length : lead, length, tail];
        expect(input.shape(batch, 0)).toEqual(whole);
        const bytes = input.bytes(batch, 0);
        const memory = shared ? new SharedArrayBuffer(bytes + 16) : new ArrayBuffer(bytes + 16);
        const target = new Uint8Array(memory).fill(0xee);
        input.write(target, start, bytes, batch, 0);

        const expected: number[] = [];
        const owners = shapes.flatMap((shape, i) => Array.from({ length: shape[0] }, (_, r) => [i, r] as const));
        for (let r = 0; r < whole[0]; r++) {
          const [member, row] = owners[r] ?? [0, 0];
          const own = shapes[member] as Shape;
          for (let a = 0; a < whole[1]; a++)
            for (let b = 0; b < whole[2]; b++)
              for (let c = 0; c < whole[3]; c++)
                expected.push(a < own[1] && b < own[2] ? valueAt(member, [row, a, b, c]) : PAD);
        }
        expect([...new Int32Array(target.slice(start, start + bytes).buffer)]).toEqual(expected);
        expect([...target.subarray(0, start), ...target.subarray(start + bytes)]).toEqual(new Array(16).fill(0xee));
      }),
      { numRuns: 500 },
    );
  });

  it('repeats the strings of the first row in dummy rows', () => {
    const strings = (shape: number[], texts: string[]): Tensor => ({
      name: 's',
      dataType: 'BYTES',
      shape,
      data: serialiseBytes(texts.map((text) => new TextEncoder().encode(text))),
    });
    const batch: Batch = {
      version: { model: 'm', version: 1 },
      members: [
        { inputs: [strings([1, 2], ['a', 'bcd'])], rows: 1 },
        { inputs: [strings([1, 2], ['', 'e'])], rows: 1 },
      ],
      rows: 2,
      padded: { rows: 4, length: 0 },
    };
    const input = new BatchInput(tensorSpec('s', 'BYTES', [2]), true);
    const bytes = input.bytes(batch, 0);
    const target = new Uint8Array(bytes);
    input.write(target, 0, bytes, batch, 0);
    expect(input.shape(batch, 0)).toEqual([4, 2]);
    expect(target).toEqual(strings([4, 2], ['a', 'bcd', '', 'e', 'a', 'bcd', 'a', 'bcd']).data);
  });

  it('is refused where a member has other bytes than its shape says', () => {
    const input = new BatchInput(tensorSpec('x', 'FP32', [2]), true);
    const member = (bytes: number) => ({
      inputs: [{ name: 'x', dataType: 'FP32' as const, shape: [1, 2], data: new Uint8Array(bytes) }],
      rows: 1,
    });
    const batch = (bytes: number): Batch => ({
      version: { model: 'm', version: 1 },
      members: [member(bytes)],
      rows: 1,
    });
    expect(() => input.write(new Uint8Array(64), 0, 8, batch(4), 0)).toThrow("'x': 4 bytes where its shapes say 8");
    expect(() => input.write(new Uint8Array(64), 0, 8, batch(12), 0)).toThrow('more bytes than its shapes say');
  });
});
