import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refusal } from '../../../../test/support/refusal.js';
import { modelSpec, tensorSpec } from '../../../../test/support/specs.js';
import { type ImageRecipe, typedView } from '../../../core/index.js';
import { formParts } from './multipart.js';
import { decodePlainForm } from './plain-form-data.js';

const image = {} as ImageRecipe;
const PICTURE = modelSpec({
  inputs: [tensorSpec('photo', 'FP32', [3, 8, 8], { image }), tensorSpec('age', 'INT32', [1], { optional: true })],
});
const TYPE = 'multipart/form-data; boundary=XX';

interface Part {
  readonly name: string;
  readonly file?: string;
  readonly type?: string;
  readonly data: string | Uint8Array;
}

function form(parts: readonly Part[], boundary = 'XX'): Buffer {
  const chunks = parts.flatMap(({ name, file, type, data }) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file === undefined ? '' : `; filename="${file}"`}\r\n`,
    type === undefined ? '\r\n' : `Content-Type: ${type}\r\n\r\n`,
    data,
    '\r\n',
  ]);
  return Buffer.concat([...chunks, `--${boundary}--\r\n`].map((chunk) => Buffer.from(chunk as string)));
}

describe('multipart/form-data', () => {
  it('gives its parts as they were, whatever bytes they hold', () => {
    const name = fc.stringMatching(/^[a-z]{1,8}$/);
    const data = fc
      .uint8Array({ maxLength: 60 })
      .map((bytes) => Uint8Array.from(bytes, (byte) => (byte === 0x58 ? 0 : byte)));
    fc.assert(
      fc.property(fc.array(fc.record({ name, data }), { maxLength: 6 }), (parts) => {
        const read = formParts(form(parts), TYPE);
        expect(read.map((part) => ({ name: part.name, data: [...part.data] }))).toEqual(
          parts.map((part) => ({ name: part.name, data: [...part.data] })),
        );
      }),
    );
  });

  it('reads boundaries in quotes, a preamble, escaped names and blank ends', () => {
    const body = Buffer.concat([Buffer.from('to be ignored\r\n'), form([{ name: 'a\\"b', data: 'x' }], 'b 1')]);
    expect(formParts(body, 'multipart/form-data; charset=utf-8; boundary="b 1"')).toMatchObject([{ name: 'a"b' }]);
  });

  it.each([
    ['no boundary', 'multipart/form-data', form([])],
    ['the boundary "--XX"', TYPE, Buffer.from('hello')],
    ['after the part', TYPE, Buffer.from('--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\nrest')],
    ["the end of a part's headers", TYPE, Buffer.from('--XX\r\nContent-Disposition: form-data; name="a"\r\n')],
    ['form-data; name=', TYPE, Buffer.from('--XX\r\nX: y\r\n\r\nrest\r\n--XX--')],
    ['a line end after the boundary', TYPE, Buffer.from('--XXY\r\nX: y\r\n\r\nrest\r\n--XX--')],
    [
      'not encoded',
      TYPE,
      Buffer.from(
        '--XX\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nrest\r\n--XX--',
      ),
    ],
  ])('is refused for %s', (why, type, body) => {
    expect(refusal(() => formParts(body, type))).toContain(why);
  });
});

describe('a form for a model', () => {
  it('has files as images and fields as values', () => {
    const body = form([
      { name: 'photo', file: 'a.jpg', type: 'image/jpeg', data: 'JPEG' },
      { name: 'age', data: '41' },
    ]);
    const { tensors, pictures, batch, rows } = decodePlainForm(body, TYPE, PICTURE);
    expect({ batch, rows }).toEqual({ batch: false, rows: 1 });
    const [age] = tensors;
    expect([...typedView('INT32', age?.data as Uint8Array)]).toEqual([41]);
    const [{ body: bytes, places }] = pictures as [(typeof pictures)[0]];
    expect(
      places.map(({ start, bytes: length }) => Buffer.from(bytes.subarray(start, start + length)).toString()),
    ).toEqual(['JPEG']);
  });

  it('gives a file of another name to the input that takes images; several are a batch, and so is a name with []', () => {
    const file = (name: string) => ({ name, file: 'a.png', data: 'PNG' });
    expect(decodePlainForm(form([file('upload')]), TYPE, PICTURE)).toMatchObject({ batch: false, rows: 1 });
    expect(decodePlainForm(form([file('files'), file('files')]), TYPE, PICTURE)).toMatchObject({
      batch: true,
      rows: 2,
    });
    expect(decodePlainForm(form([file('files[]')]), TYPE, PICTURE)).toMatchObject({ batch: true, rows: 1 });
  });

  it('takes the text of a field for strings, JSON for the rest', () => {
    const spec = modelSpec({ inputs: [tensorSpec('text', 'BYTES', [1]), tensorSpec('x', 'FP32', [2])] });
    const body = form([
      { name: 'text', data: '"quoted" \\ text' },
      { name: 'x', data: '[1, 2]' },
    ]);
    const { tensors } = decodePlainForm(body, TYPE, spec);
    expect(Buffer.from(tensors[0]?.data.subarray(4) as Uint8Array).toString()).toBe('"quoted" \\ text');
    expect([...typedView('FP32', tensors[1]?.data as Uint8Array)]).toEqual([1, 2]);
  });

  it.each([
    [
      'SHAPE_MISMATCH: input "age" has 1 rows, input "photo" 2',
      [
        { name: 'photo', file: 'a', data: '' },
        { name: 'photo', file: 'b', data: '' },
        { name: 'age', data: '1' },
      ],
    ],
    ['UNKNOWN_INPUT: input "nobody"', [{ name: 'nobody', data: '1' }]],
    ['UNSUPPORTED_MEDIA: file "age": input "age" takes no images', [{ name: 'age', file: 'a.png', data: '1' }]],
    ['MALFORMED_REQUEST: JSON at byte 2', [{ name: 'age', data: '1 2' }]],
    ['MALFORMED_REQUEST: the multipart/form-data body has no part', []],
  ])('is refused: %s', (why, parts) => {
    expect(refusal(() => decodePlainForm(form(parts), TYPE, PICTURE))).toContain(why);
  });
});
