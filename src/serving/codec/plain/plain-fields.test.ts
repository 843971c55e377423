import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelSpec, tensorSpec } from '../../../../test/support/specs.js';
import { type ImageRecipe, type ServingError, typedView } from '../../../core/index.js';
import { decodePlainFields, isFieldsBody } from './plain-fields.js';

const MODEL = modelSpec({
  inputs: [
    tensorSpec('list', 'FP32', [3], { optional: true }),
    tensorSpec('age', 'INT32', [1], { optional: true }),
    tensorSpec('text', 'BYTES', [1], { optional: true }),
    tensorSpec('grid', 'FP32', [2, 2], { optional: true }),
    tensorSpec('photo', 'FP32', [3, 8, 8], { optional: true, image: {} as ImageRecipe }),
  ],
});

function read(body: string) {
  const { tensors, pictures, batch, rows } = decodePlainFields(Buffer.from(body), MODEL);
  const values = tensors.map(({ name, shape, dataType, data }) => [
    name,
    shape,
    dataType === 'BYTES' ? Buffer.from(data).toString('latin1') : [...typedView(dataType, data)],
  ]);
  return { values, pictures: pictures.map(({ body: file }) => Buffer.from(file).toString()), batch, rows };
}

function refusal(body: string): string {
  try {
    read(body);
  } catch (thrown) {
    const { reason, message } = thrown as ServingError;
    return `${reason}: ${message}`;
  }
  return 'none';
}

describe('fields of a form', () => {
  it('are values of the inputs of their names', () => {
    expect(read('age=7&text=a%26b+c%C3%BC')).toEqual({
      values: [
        ['age', [1, 1], [7]],
        ['text', [1, 1], '\x07\0\0\0a&b c\xc3\xbc'],
      ],
      pictures: [],
      batch: false,
      rows: 1,
    });
    expect(read('grid=[[1,2],[3,4]]').values).toEqual([['grid', [1, 2, 2], [1, 2, 3, 4]]]);
  });

  it.each(['list=1&list=2.5&list=-3', 'list%5B%5D=1&list[]=2.5&list[]=-3', 'list=[1,2.5,-3]'])(
    'that an input with a list for a row has several of are the values of the list: %s',
    (body) => {
      expect(read(body)).toMatchObject({ values: [['list', [1, 3], [1, 2.5, -3]]], batch: false, rows: 1 });
    },
  );

  it('that other inputs have several of are a batch', () => {
    expect(read('age=1&age=2')).toMatchObject({ values: [['age', [2, 1], [1, 2]]], batch: true, rows: 2 });
    expect(read('age%5B%5D=1')).toMatchObject({ batch: true, rows: 1 });
    expect(read('list=[1,2,3]&list=[4,5,6]')).toMatchObject({
      values: [['list', [2, 3], [1, 2, 3, 4, 5, 6]]],
      rows: 2,
    });
  });

  it('carry images in base64, as they are or as data URLs', () => {
    const base64 = Buffer.from('a picture').toString('base64');
    expect(read(`photo=${encodeURIComponent(base64)}`).pictures).toEqual(['a picture']);
    expect(read(`photo=${encodeURIComponent(`data:image/png;base64,${base64}`)}`).pictures).toEqual(['a picture']);
  });

  it.each([
    ['', 'MALFORMED_REQUEST: the body has no rows'],
    [
      'agge=1',
      "UNKNOWN_INPUT: input \"agge\" is not one of model 'm', which takes list, age, text, grid, photo, did you mean 'age'?",
    ],
    ['age=old', 'MALFORMED_REQUEST: JSON at byte 0'],
    ['age=1 2', 'MALFORMED_REQUEST: JSON at byte 2'],
    ['list=1', 'none'],
    ['list=1&list=x', 'MALFORMED_REQUEST: JSON at byte 3'],
    ['age=1&age=2&text=a', 'SHAPE_MISMATCH: input "text" has 1 rows, input "age" 2'],
    ['photo=a b', 'MALFORMED_REQUEST: input "photo": expected an image in base64, came "a b"'],
    ['&'.repeat(70_000), 'MALFORMED_REQUEST: expected at most 65536 fields, the form has 70001'],
  ])('are refused by what is wrong: %.20s', (body, why) => {
    expect(refusal(body).slice(0, why.length)).toBe(why);
  });

  it('are told from JSON that says it is a form', () => {
    for (const body of ['a=1', 'a%5B%5D=1&b=2', 'a[]=1', 'x=', 'pixels=[1,2]', 'a=b&c={"d":"="}'])
      expect(isFieldsBody(Buffer.from(body))).toBe(true);
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.constantFrom('', ' ', '\n'), (json, before) => {
        expect(isFieldsBody(Buffer.from(before + json))).toBe(false);
      }),
    );
  });

  it('are read or refused, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('age', 'list', 'text', '=', '&', '%', '[', ']', '1', '"', 'photo', 'é') }),
        (body) => {
          expect(refusal(body)).toMatch(/^(none|[A-Z_]+: )/);
        },
      ),
    );
  });
});
