import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refusal } from '../../../../test/support/refusal.js';
import { modelSpec, tensorSpec } from '../../../../test/support/specs.js';
import { bytesElements, type ImageRecipe, type ModelSpec, type Tensor, typedView } from '../../../core/index.js';
import { decodePlainCsv } from './plain-csv.js';
import { decodePlainJson } from './plain-json.js';

const ROW2 = modelSpec();
const ONE = modelSpec({ inputs: [tensorSpec('x', 'INT64', [1])] });
const TWO = modelSpec({
  inputs: [
    tensorSpec('a', 'FP32', [2]),
    tensorSpec('b', 'BYTES', [1]),
    tensorSpec('c', 'INT8', [1], { optional: true }),
  ],
});
const ALONE = modelSpec({ maxBatchSize: 0, inputs: [tensorSpec('x', 'FP32', [2, 2])] });
const PICTURE = modelSpec({ inputs: [tensorSpec('image', 'FP32', [3, 8, 8], { image: {} as ImageRecipe })] });

const bytes = (body: unknown) => Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));

function shown({ name, shape, dataType, data }: Tensor): unknown {
  const values =
    dataType === 'BYTES'
      ? bytesElements(data).map((one) => Buffer.from(one).toString())
      : [...typedView(dataType, data)];
  return [name, shape, values];
}

function read(body: unknown, spec: ModelSpec) {
  const { tensors, batch, rows } = decodePlainJson(bytes(body), spec);
  return { tensors: tensors.map(shown), batch, rows };
}

describe('a plain JSON body', () => {
  it('is one row as an object, a batch as an array of objects', () => {
    expect(read({ x: [1, 2] }, ROW2)).toEqual({ tensors: [['x', [1, 2], [1, 2]]], batch: false, rows: 1 });
    expect(read([{ x: [1, 2] }, { x: [3, 4] }], ROW2)).toEqual({
      tensors: [['x', [2, 2], [1, 2, 3, 4]]],
      batch: true,
      rows: 2,
    });
    expect(read([{ x: [1, 2] }], ROW2)).toMatchObject({ batch: true, rows: 1 });
  });

  it('may leave away the name of the only input', () => {
    expect(read([1, 2], ROW2)).toEqual({ tensors: [['x', [1, 2], [1, 2]]], batch: false, rows: 1 });
    expect(
      read(
        [
          [1, 2],
          [3, 4],
        ],
        ROW2,
      ),
    ).toEqual({ tensors: [['x', [2, 2], [1, 2, 3, 4]]], batch: true, rows: 2 });
    expect(read([[1, 2]], ROW2)).toMatchObject({ batch: true, rows: 1 });
  });

  it('writes a row of one value with brackets or without', () => {
    const row = { tensors: [['x', [1, 1], [7n]]], batch: false, rows: 1 };
    expect(read({ x: 7 }, ONE)).toEqual(row);
    expect(read({ x: [7] }, ONE)).toEqual(row);
    expect(read('7', ONE)).toEqual(row);
    const rows = { tensors: [['x', [2, 1], [7n, 8n]]], batch: true, rows: 2 };
    expect(read([7, 8], ONE)).toEqual(rows);
    expect(read([[7], [8]], ONE)).toEqual(rows);
    expect(read([{ x: 7 }, { x: [8] }], ONE)).toEqual(rows);
    expect(read('[9007199254740993]', ONE).tensors).toEqual([['x', [1, 1], [9007199254740993n]]]);
  });

  it('takes several inputs of their own types, optional ones too', () => {
    expect(
      read(
        [
          { a: [1, 2], b: 'ü' },
          { b: ['y'], a: [3, 4] },
        ],
        TWO,
      ),
    ).toEqual({
      tensors: [
        ['a', [2, 2], [1, 2, 3, 4]],
        ['b', [2, 1], ['ü', 'y']],
      ],
      batch: true,
      rows: 2,
    });
    expect(read({ a: [1, 2], b: '', c: -5 }, TWO).tensors).toContainEqual(['c', [1, 1], [-5]]);
  });

  it('is the whole tensor of a model without a batch axis', () => {
    expect(
      read(
        {
          x: [
            [1, 2],
            [3, 4],
          ],
        },
        ALONE,
      ).tensors,
    ).toEqual([['x', [2, 2], [1, 2, 3, 4]]]);
    expect(
      read(
        [
          [1, 2],
          [3, 4],
        ],
        ALONE,
      ),
    ).toMatchObject({ batch: false, rows: 1 });
    expect(
      refusal(() =>
        read(
          [
            {
              x: [
                [1, 2],
                [3, 4],
              ],
            },
          ],
          ALONE,
        ),
      ),
    ).toBe("SHAPE_MISMATCH: model 'm' takes no batches: send one row");
  });

  it('has images as base64, named or not, one or several', () => {
    const png = Buffer.from('not looked at here').toString('base64');
    for (const [body, batch, rows] of [
      [{ image: png }, false, 1],
      [{ image: `data:image/png;base64,${png}` }, false, 1],
      [{ image: { b64: png } }, false, 1],
      [{ b64: png }, false, 1],
      [[{ image: png }, { image: png }], true, 2],
      [[png, png], true, 2],
      [[{ b64: png }, png], true, 2],
    ] as const) {
      const decoded = decodePlainJson(bytes(body), PICTURE);
      expect(decoded).toMatchObject({ batch, rows, tensors: [] });
      const [{ body: files, places }] = decoded.pictures as [(typeof decoded.pictures)[0]];
      for (const { start, bytes: length } of places)
        expect(Buffer.from(files.subarray(start, start + length)).toString()).toBe('not looked at here');
      expect(places.length).toBe(rows);
    }
    expect(decodePlainJson(bytes(`"${png}"`), PICTURE)).toMatchObject({ batch: false, rows: 1 });
    // Numbers go in as they are.
    const zeros = [new Array(8).fill(new Array(8).fill(0)), 0, 0].map((_, __, all) => all[0] as unknown);
    expect(decodePlainJson(bytes({ image: zeros }), PICTURE).tensors[0]?.shape).toEqual([1, 3, 8, 8]);
    expect(refusal(() => decodePlainJson(bytes([{ image: png }, { image: zeros }]), PICTURE))).toMatch(
      /images and numbers are mixed/,
    );
    expect(refusal(() => decodePlainJson(bytes([{ image: zeros }, { image: png }]), PICTURE))).toMatch(
      /images and numbers are mixed/,
    );
  });

  it.each<[unknown, ModelSpec, string]>([
    [{ other: [1, 2] }, ROW2, `UNKNOWN_INPUT: input "other" is not one of model 'm', which takes x`],
    [
      { instances: [] },
      ROW2,
      `UNKNOWN_INPUT: input "instances" is not one of model 'm', which takes x (a body with "instances" belongs to /v1/models/MODEL:predict)`,
    ],
    ['{"x":[1,2],"x":[1,2]}', ROW2, 'MALFORMED_REQUEST: input "x" is given twice'],
    [
      { x: [[1, 2]] },
      ROW2,
      'SHAPE_MISMATCH: input "x": expected a row of shape [2] (1 level of arrays), came shape [1,2]',
    ],
    [{ x: 1 }, ROW2, 'SHAPE_MISMATCH: input "x": expected a row of shape [2] (1 level of arrays), came a single value'],
    [
      [{ x: [1, 2] }, { x: [1, 2, 3] }],
      ROW2,
      'SHAPE_MISMATCH: input "x" of row 1: its shape is [3], that of the rows before [2]; rows of one request have one shape',
    ],
    [
      [{ x: [1, 2] }, {}],
      ROW2,
      'MISSING_INPUT: input "x" of row 1 is missing; rows of one request have the same inputs',
    ],
    [[{ a: [1, 2] }, { a: [1, 2], b: 'x' }], TWO, 'MALFORMED_REQUEST: input "b" of row 1 is not in the rows before it'],
    [
      [1, 2],
      TWO,
      "MALFORMED_REQUEST: a value without a name is for models with one input; model 'm' takes a, b, c: send an object",
    ],
    ['', ROW2, 'MALFORMED_REQUEST: JSON at byte 0: expected a JSON object or array, came the end'],
    ['[]', ROW2, 'MALFORMED_REQUEST: the body has no rows'],
    ['{}', ROW2, 'MALFORMED_REQUEST: the body has no rows'],
    ['[1,2] 3', ROW2, 'MALFORMED_REQUEST: JSON at byte 6: expected nothing more, came "3"'],
    [{ b: 5, a: [1, 2] }, TWO, 'DATA_TYPE_MISMATCH: input "b": element 0 must be a string for BYTES, came "5"'],
    [
      { image: 'no base64!' },
      PICTURE,
      'MALFORMED_REQUEST: input "image": expected an image in base64, came "no base64!"',
    ],
    [{ image: { url: 'x' } }, PICTURE, 'MALFORMED_REQUEST: input "image": expected {"b64": "..."}, came the key "url"'],
  ])('%j is refused', (body, spec, expected) => {
    expect(refusal(() => read(body, spec))).toBe(expected);
  });

  it('is read or refused, whatever it is, and never taken for another', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const said = refusal(() => read(text, TWO));
        expect(said === 'none' || /^[A-Z_]+: /.test(said)).toBe(true);
        expect(said).not.toMatch(/^undefined/);
      }),
      { numRuns: 300 },
    );
  });

  it('gives back the rows that went in', () => {
    const row = fc.tuple(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.float({ noNaN: true, noDefaultInfinity: true }),
    );
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), (rows) => {
        const expected = rows.flat().map((value) => (Object.is(value, -0) ? 0 : value));
        for (const body of [rows, rows.map((x) => ({ x }))]) {
          const [[, shape, values]] = read(body, ROW2).tensors as [[string, number[], number[]]];
          expect(shape).toEqual([rows.length, 2]);
          expect(values.map((value) => (Object.is(value, -0) ? 0 : value))).toEqual(expected);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('a CSV body', () => {
  it('has a row a line', () => {
    const { tensors, batch } = decodePlainCsv(Buffer.from('1, 2\r\n3,4e0\n\n'), ROW2);
    expect(tensors.map(shown)).toEqual([['x', [2, 2], [1, 2, 3, 4]]]);
    expect(batch).toBe(true);
    expect(decodePlainCsv(Buffer.from('7\n8'), ONE).tensors.map(shown)).toEqual([['x', [2, 1], [7n, 8n]]]);
  });

  it.each([
    ['a,b\n1,2', 'MALFORMED_REQUEST: line 1: expected numbers with commas between them, came "a,b"'],
    ['1,2\n3', 'SHAPE_MISMATCH: '],
    ['', 'MALFORMED_REQUEST: '],
    ['1],[2', 'MALFORMED_REQUEST: line 1'],
  ])('%j is refused', (text, expected) => {
    expect(refusal(() => decodePlainCsv(Buffer.from(text), ROW2))).toContain(expected);
  });
});
