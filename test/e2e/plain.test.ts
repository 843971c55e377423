import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import jpeg from 'jpeg-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elementCount } from '../../src/core/index.js';
import { writeNpy } from '../../src/elements/index.js';
import { exampleRepository, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const SAMPLES = join(import.meta.dirname, '../../deploy/examples/samples');
const png = (digit: number) => readFileSync(join(SAMPLES, `digit-${digit}.png`));
const PIXELS = (JSON.parse(readFileSync(join(SAMPLES, 'digit-3.json'), 'utf8')) as { inputs: [{ data: number[] }] })
  .inputs[0].data;
const FORMATS = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/images/formats.json'), 'utf8')) as {
  label: string;
  file: string;
}[];
const JSON_TYPE = { 'content-type': 'application/json' };
const PNG_TYPE = { 'content-type': 'image/png' };

/** A form of files, as browsers and `requests` send it. */
function form(...files: readonly (readonly [name: string, file: Uint8Array])[]) {
  const parts = files.flatMap(([name, file]) => [
    `--edge\r\nContent-Disposition: form-data; name="${name}"; filename="digit.png"\r\nContent-Type: image/png\r\n\r\n`,
    file,
    '\r\n',
  ]);
  const body = Buffer.concat([...parts, '--edge--\r\n'].map((part) => Buffer.from(part as string)));
  return { body, headers: { 'content-type': 'multipart/form-data; boundary=edge' } };
}

describe('plain routes of the example models', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await RunningGateway.start(exampleRepository(), ['--offload-json-bytes', '4096']);
  });
  afterAll(async () => {
    expect(await gateway.stop()).toBe(0);
  });

  it('take an object and give one, an array and give one', async () => {
    const one = await gateway.post('/predict/digits', { pixels: PIXELS });
    expect(one.status).toBe(200);
    expect(one.headers['content-type']).toBe('application/json');
    expect(one.headers['x-penstock-version']).toBe('2');
    const answer = one.json();
    expect(answer.digit).toBe(3);
    expect(answer.probabilities).toHaveLength(3);
    expect(answer.probabilities[0]).toMatchObject({ label: 'three', index: 3 });
    expect((await gateway.post('/predict/digits', [{ pixels: PIXELS }, { pixels: PIXELS }])).json()).toEqual([
      answer,
      answer,
    ]);
    expect((await gateway.post('/predict/digits', PIXELS)).json()).toEqual(answer);
    expect((await gateway.post('/predict/digits', [PIXELS])).json()).toEqual([answer]);
    const older = await gateway.post('/predict/digits/versions/1', { pixels: PIXELS });
    expect(older.headers['x-penstock-version']).toBe('1');
    expect(older.json().digit).toBe(3);
  });

  it('answer as V2 does', async () => {
    const plain = (await gateway.post('/predict/digits', PIXELS)).json();
    const inputs = [{ name: 'pixels', shape: [1, 64], datatype: 'FP32', data: PIXELS }];
    const { outputs } = (await gateway.post('/v2/models/digits/infer', { inputs })).json() as {
      outputs: { name: string; data: number[] }[];
    };
    const all = outputs.find(({ name }) => name === 'probabilities')?.data as number[];
    for (const { index, value } of plain.probabilities) expect(value).toBe(all[index]);
  });

  it('take an image as the whole body, in a form, and as base64', async () => {
    for (const type of ['image/png', 'application/octet-stream', 'IMAGE/PNG; q=1']) {
      const answer = await gateway.call('/predict/digits', { body: png(7), headers: { 'content-type': type } });
      expect(answer.json()).toMatchObject({ digit: 7 });
    }
    for (const name of ['pixels', 'file'])
      expect((await gateway.call('/predict/digits', form([name, png(5)]))).json()).toMatchObject({ digit: 5 });
    const several = await gateway.call(
      '/predict/digits',
      form(['files', png(1)], ['files', png(2)], ['files', png(3)]),
    );
    expect((several.json() as { digit: number }[]).map(({ digit }) => digit)).toEqual([1, 2, 3]);
    const base64 = png(4).toString('base64');
    expect((await gateway.post('/predict/digits', { pixels: base64 })).json()).toMatchObject({ digit: 4 });
    expect((await gateway.post('/predict/digits', [base64, { b64: base64 }])).json()).toMatchObject([
      { digit: 4 },
      { digit: 4 },
    ]);
  });

  it('decode images of other sizes and of JPEG', async () => {
    const side = 64;
    const data = Buffer.alloc(side * side * 4, 255);
    for (let i = 0; i < side * side; i++) {
      const pixel = PIXELS[8 * Math.floor(i / side / 8) + Math.floor((i % side) / 8)] as number;
      data.fill(Math.min(255, 16 * pixel), 4 * i, 4 * i + 3);
    }
    const { data: jpg } = jpeg.encode({ width: side, height: side, data }, 95);
    const answer = await gateway.call('/predict/digits', { body: jpg, headers: { 'content-type': 'image/jpeg' } });
    expect(answer.json()).toMatchObject({ digit: 3 });
  });

  it('decode WebP and GIF, and turn what EXIF says is turned', async () => {
    const named = (label: string) => {
      const file = FORMATS.find((one) => one.label === label)?.file ?? expect.fail(`no file '${label}'`);
      return Buffer.from(file, 'base64');
    };
    const answerTo = async (label: string, type: string) => {
      const answer = await gateway.call('/predict/digits', { body: named(label), headers: { 'content-type': type } });
      expect([label, answer.status]).toEqual([label, 200]);
      return answer.json();
    };
    // One photo, in formats without loss: the same pixels, the same answer.
    const expected = await answerTo('PNG rgb', 'image/png');
    expect(await answerTo('WebP lossless photo', 'image/webp')).toEqual(expected);
    expect(await answerTo('WEBP of orientation 0', 'application/octet-stream')).toEqual(expected);
    expect(await answerTo('WEBP of orientation 6', 'image/webp')).toEqual(
      await answerTo('PNG of orientation 6', 'image/png'),
    );
    await answerTo('GIF animated', 'image/gif');
    const broken = named('WebP lossless photo').subarray(0, 900);
    const refused = await gateway.call('/predict/digits', { body: broken, headers: { 'content-type': 'image/webp' } });
    expect([refused.status, refused.json().error]).toEqual([400, expect.stringContaining('the file is cut short')]);
    const heic = await gateway.call('/predict/digits', { body: 'x', headers: { 'content-type': 'image/heic' } });
    expect([heic.status, heic.json().error]).toEqual([415, expect.stringContaining("'image/heic' is not taken")]);
  });

  it('take form fields and arrays of NumPy', async () => {
    const expected = (await gateway.post('/predict/digits', PIXELS)).json();
    const fields = new URLSearchParams(PIXELS.map((pixel): [string, string] => ['pixels', String(pixel)])).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const path of ['/predict/digits', '/v1/models/digits:predict']) {
      expect((await gateway.call(path, { body: fields, headers })).json()).toEqual(expected);
      expect((await gateway.call(path, { body: JSON.stringify(PIXELS), headers })).json()).toEqual(expected);
    }
    const npy = (shape: readonly number[]) => {
      const data = new Uint8Array(Float64Array.from([...PIXELS, ...PIXELS].slice(0, elementCount(shape))).buffer);
      return writeNpy({ name: 'x', dataType: 'FP64', shape, data });
    };
    for (const type of ['application/x-npy', 'application/octet-stream']) {
      const one = await gateway.call('/predict/digits', { body: npy([64]), headers: { 'content-type': type } });
      expect(one.json()).toEqual(expected);
      const two = await gateway.call('/predict/digits', { body: npy([2, 64]), headers: { 'content-type': type } });
      expect(two.json()).toEqual([expected, expected]);
    }
    expect((await gateway.call('/predict/digits', form(['file', npy([64])]))).json()).toEqual(expected);
    expect((await gateway.call('/predict/digits', form(['pixels', npy([1, 64])]))).json()).toEqual([expected]);
    const wrong = await gateway.call('/predict/digits', {
      body: npy([63]),
      headers: { 'content-type': 'application/x-npy' },
    });
    expect([wrong.status, wrong.json().error]).toEqual([400, expect.stringContaining('got [1,63]')]);
    const field = await gateway.call('/predict/digits', { body: 'pixel=1', headers });
    expect([field.status, field.json().error]).toEqual([400, expect.stringContaining("did you mean 'pixels'?")]);
  });

  it('decode large JSON on pool threads, to the same answers', async () => {
    const rows = new Array<number[]>(60).fill(PIXELS);
    const [first, ...rest] = (await gateway.post('/predict/digits', rows, JSON_TYPE)).json() as unknown[];
    expect(rest).toHaveLength(59);
    expect(first).toMatchObject({ digit: 3 });
    expect((await gateway.post('/v1/models/digits:predict', rows)).json()).toEqual([first, ...rest]);
    const wrong = await gateway.post('/predict/digits', [...rows, [1, 2]]);
    expect(wrong.status).toBe(400);
    expect(wrong.json().error).toContain('input "pixels"');
  });

  it('are what /v1/models/MODEL:predict takes beside instances and inputs', async () => {
    expect((await gateway.post('/v1/models/digits:predict', { pixels: PIXELS })).json()).toMatchObject({ digit: 3 });
    expect((await gateway.call('/v1/models/digits:predict', { body: png(9), headers: PNG_TYPE })).json()).toMatchObject(
      { digit: 9 },
    );
    expect(
      (await gateway.post('/v1/models/digits:predict', { instances: [{ pixels: PIXELS }] })).json(),
    ).toHaveProperty('predictions');
  });

  it('take what gzip made of a body', async () => {
    const { gzipSync } = await import('node:zlib');
    const headers = { ...JSON_TYPE, 'content-encoding': 'gzip' };
    const answer = await gateway.call('/predict/digits', {
      body: gzipSync(JSON.stringify({ pixels: PIXELS })),
      headers,
    });
    expect(answer.json()).toMatchObject({ digit: 3 });
    const image = await gateway.call('/predict/digits', {
      body: gzipSync(png(8)),
      headers: { ...PNG_TYPE, 'content-encoding': 'gzip' },
    });
    expect(image.json()).toMatchObject({ digit: 8 });
  });

  it('refuse what is wrong, naming it, and go on', async () => {
    const wrong: readonly (readonly [Parameters<RunningGateway['call']>[1], number, string])[] = [
      [{ body: '{"pixel":[1]}', headers: JSON_TYPE }, 400, "did you mean 'pixels'?"],
      [{ body: '{"pixels":[1]}', headers: JSON_TYPE }, 400, 'expected shape [-1,64], got [1,1]'],
      [{ body: '', headers: JSON_TYPE }, 400, 'expected a JSON object or array'],
      [{ body: '{"pixels":', headers: JSON_TYPE }, 400, 'JSON at byte'],
      [{ body: 'x', headers: PNG_TYPE }, 400, "input 'pixels': expected a PNG, JPEG, WebP or GIF image"],
      [{ body: png(1).subarray(0, 60), headers: PNG_TYPE }, 400, 'the file is cut short'],
      [{ body: '', headers: PNG_TYPE }, 400, 'it is empty'],
      [form(['pixels', png(1)], ['pixels', Buffer.from('x')]), 400, "input 'pixels', image 1: expected a PNG, JPEG"],
      [{ body: 'x', headers: { 'content-type': 'multipart/form-data' } }, 400, 'no boundary'],
      [
        { body: '<a/>', headers: { 'content-type': 'application/xml' } },
        415,
        "the media type 'application/xml' is not taken",
      ],
    ];
    for (const [call, status, message] of wrong) {
      const answer = await gateway.call('/predict/digits', call);
      expect([answer.status, answer.json().error]).toEqual([status, expect.stringContaining(message)]);
    }
    expect((await gateway.post('/predict/nobody', {})).status).toBe(404);
    expect((await gateway.call('/predict/digits')).status).toBe(405);
    const image = await gateway.call('/predict/digit-image', { body: png(1), headers: PNG_TYPE });
    expect([image.status, image.json().error]).toEqual([
      415,
      expect.stringContaining('declares no input that takes images'),
    ]);
    expect((await gateway.post('/predict/digits', PIXELS)).status).toBe(200);
  });

  it('are counted as every inference is', async () => {
    const counted = async () => {
      const { model_stats: stats } = (await gateway.call('/v2/models/digits/versions/2/stats')).json() as {
        model_stats: [{ inference_count: number }];
      };
      return stats[0].inference_count;
    };
    const before = await counted();
    await gateway.post('/predict/digits', [PIXELS, PIXELS, PIXELS]);
    expect(await counted()).toBe(before + 3);
  });

  it('are in the documentation', async () => {
    const { paths } = (await gateway.call('/v2/docs/openapi.json')).json() as {
      paths: Record<string, { post: { requestBody: { content: object } } }>;
    };
    expect(Object.keys(paths['/predict/{model}']?.post.requestBody.content ?? {})).toContain('multipart/form-data');
  });
});

describe('plain routes of other models', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    const models = repositoryOf({
      whole: 'no_batch',
      text: { fixture: 'identity_bytes', config: 'max_batch_size: 4' },
      half: { fixture: 'identity_fp16', config: 'max_batch_size: 4' },
      float: { fixture: 'identity_fp32', config: 'max_batch_size: 4' },
      bare: {
        fixture: 'identity_fp32',
        config: `max_batch_size: 4 parameters { key: "penstock.plain_answer" value { string_value: '{"bare": true}' } }`,
      },
    });
    gateway = await RunningGateway.start(models);
  });
  afterAll(async () => {
    expect(await gateway.stop()).toBe(0);
  });

  const input = async (model: string) =>
    ((await gateway.call(`/v2/models/${model}`)).json() as { inputs: [{ name: string; shape: number[] }] }).inputs[0];

  it('carry text, halves and NaN as far as JSON does', async () => {
    const { name: text } = await input('text');
    expect((await gateway.post('/predict/text', { [text]: ['a', 'ü"'] })).json()).toEqual({ OUTPUT0: ['a', 'ü"'] });
    const { name: half } = await input('half');
    expect((await gateway.post('/predict/half', { [half]: [0.1, 2] })).json()).toEqual({ OUTPUT0: [0.099975586, 2] });
    const { name: float } = await input('float');
    const nan = await gateway.call('/predict/float', { body: `{"${float}":[1,NaN]}` });
    expect([nan.status, nan.json().error]).toEqual([
      501,
      expect.stringContaining('element 1 is NaN, which JSON cannot carry'),
    ]);
  });

  it('answer without the name of the only output where the config says so', async () => {
    expect((await gateway.post('/predict/bare', [1, 2])).json()).toEqual([1, 2]);
    expect(
      (
        await gateway.post('/predict/bare', [
          [1, 2],
          [3, 4],
        ])
      ).json(),
    ).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('take no batches of a model without a batch axis', async () => {
    const { name, shape } = await input('whole');
    const row = (dims: readonly number[]): unknown =>
      dims.length === 0 ? 1 : new Array(Math.max(1, dims[0] as number)).fill(row(dims.slice(1)));
    const answer = await gateway.post('/predict/whole', { [name]: row(shape) });
    expect(answer.status).toBe(200);
    const batch = await gateway.post('/predict/whole', [{ [name]: row(shape) }]);
    expect([batch.status, batch.json().error]).toEqual([400, expect.stringContaining('takes no batches')]);
  });
});
