import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exampleRepository, RunningGateway } from '../support/running-gateway.js';
import { scalingModel } from '../support/scaling-model.js';

// Two inputs of different types, one of them optional; strings both ways; an output that has to be sent as base64.
const ECHO = `
export const inputs = [
  { name: 'words', dataType: 'BYTES', dims: [-1, -1] },
  { name: 'weight', dataType: 'INT64', dims: [-1] },
];
export const outputs = [
  { name: 'words', dataType: 'BYTES', dims: [-1, -1] },
  { name: 'raw_bytes', dataType: 'BYTES', dims: [-1] },
  { name: 'weight', dataType: 'INT64', dims: [-1] },
];
export function infer({ inputs: { words, weight } }) {
  const rows = words.shape[0];
  return {
    words: { data: [...words.data].map((one) => new Uint8Array(one)), shape: words.shape },
    raw_bytes: { data: Array.from({ length: rows }, () => Uint8Array.of(255, 0, 1)), shape: [rows] },
    weight: { data: BigInt64Array.from(weight.data), shape: [rows] },
  };
}
`;
const SCRIPT =
  'backend: "script" max_batch_size: 8 version_policy { all {} } instance_group [ { count: 1, kind: KIND_CPU } ]';

let gateway: RunningGateway;
const sample = JSON.parse(readFileSync(new URL('../../deploy/examples/samples/digit-3.json', import.meta.url), 'utf8'));
const THREE: readonly number[] = sample.inputs[0].data;

beforeAll(async () => {
  const models = exampleRepository();
  models.write('digits/routes.yaml', 'labels: { stable: 1, canary: 2 }\n');
  models.write('echo/config.pbtxt', SCRIPT);
  models.write('echo/1/model.mjs', ECHO);
  for (const [version, factor] of [
    [1, 1],
    [2, 2],
  ] as const)
    models.write(`scale/${version}/model.mjs`, scalingModel(factor));
  models.write('scale/config.pbtxt', SCRIPT);
  models.write('scale/routes.yaml', 'labels: { one: 1 }\ndefault: one\n');
  models.write(
    'explained/config.pbtxt',
    `${SCRIPT} parameters { key: "penstock.explainer" value { string_value: "why" } }`,
  );
  models.write('explained/1/model.mjs', scalingModel(3));
  models.write(
    'lost/config.pbtxt',
    `${SCRIPT} parameters { key: "penstock.explainer" value { string_value: "gone" } }`,
  );
  models.write('lost/1/model.mjs', scalingModel(3));
  models.write('why/config.pbtxt', SCRIPT);
  models.write('why/1/model.mjs', scalingModel(10));
  models.write('broken/1/model.onnx', 'no model');
  gateway = await RunningGateway.start(models, ['--http-max-input-size=4194304', '--offload-json-bytes=100000']);
});
afterAll(async () => {
  await gateway?.stop();
});

const scale = (path: string, body: unknown) => gateway.post(`/v1/models/scale${path}:predict`, body);

describe('KServe V1 and TensorFlow Serving over REST', () => {
  it('predict rows and columns of a real model', async () => {
    const rows = (await gateway.post('/v1/models/digits:predict', { instances: [THREE, THREE] })).json();
    expect(rows.predictions).toHaveLength(2);
    expect(rows.predictions[0].digit).toEqual([3]);
    expect(rows.predictions[1]).toEqual(rows.predictions[0]);
    const columns = (await gateway.post('/v1/models/digits:predict', { inputs: { pixels: [THREE] } })).json();
    expect(columns.outputs.digit).toEqual([[3]]);
    expect(columns.outputs.probabilities[0]).toEqual(rows.predictions[0].probabilities);
    const v2 = (await gateway.post('/v2/models/digits/infer', sample)).json();
    const probabilities = v2.outputs.find(({ name }: { name: string }) => name === 'probabilities').data;
    expect(columns.outputs.probabilities[0]).toEqual(probabilities);
  });

  it('carry strings, bytes and integers of 64 bits', async () => {
    const b64 = Buffer.from('by\u00e9tes').toString('base64');
    const answer = await gateway.call('/v1/models/echo:predict', {
      body: `{"instances":[{"words":["a",{"b64":"${b64}"}],"weight":9007199254740993},{"words":["c","d"],"weight":-1}]}`,
    });
    expect(answer.body.toString()).toBe(
      '{"predictions":[' +
        '{"words":["a","by\u00e9tes"],"raw_bytes":[{"b64":"/wAB"}],"weight":[9007199254740993]},' +
        '{"words":["c","d"],"raw_bytes":[{"b64":"/wAB"}],"weight":[-1]}]}',
    );
  });

  it('carry NaN and infinities as bare words', async () => {
    const answer = await gateway.call('/v1/models/scale:predict', {
      body: '{"instances":[[NaN,Infinity,-Infinity,1]]}',
    });
    expect(answer.body.toString()).toBe('{"predictions":[[NaN,Infinity,-Infinity,1.0]]}');
  });

  it('go by the default of routes, by versions and by labels', async () => {
    const body = { instances: [[1, 2, 3, 4]] };
    const first = async (path: string) => (await scale(path, body)).json().predictions[0][0];
    expect([await first(''), await first('/versions/2'), await first('/labels/one')]).toEqual([1, 2, 1]);
    const labelled = await gateway.post('/v1/models/digits/labels/canary:predict', { instances: [THREE] });
    expect(labelled.headers['x-penstock-version']).toBe('2');
    const unknown = await gateway.post('/v1/models/digits/labels/none:predict', { instances: [THREE] });
    expect([unknown.status, unknown.json().error]).toEqual([
      404,
      `model 'digits' has no version label "none"; labels: stable, canary`,
    ]);
  });

  it('classify with the labels of the config, and regress', async () => {
    const examples = [{ pixels: THREE }];
    const { result } = (await gateway.post('/v1/models/digits:classify', { examples })).json();
    const best = result[0].reduce((a: [string, number], b: [string, number]) => (b[1] > a[1] ? b : a));
    expect(result[0]).toHaveLength(10);
    expect(best[0]).toBe('three');
    const regress = await gateway.post('/v1/models/digits/versions/1:regress', { examples });
    expect([regress.status, regress.json().error]).toEqual([501, expect.stringContaining('regress needs an output')]);
  });

  it('tell how models stand', async () => {
    expect((await gateway.call('/v1/models')).json().models).toEqual(expect.arrayContaining(['digits', 'echo']));
    const status = (await gateway.call('/v1/models/digits')).json();
    expect(status).toMatchObject({ name: 'digits', ready: true });
    expect(status.model_version_status.map(({ version, state }: never) => [version, state])).toEqual([
      ['2', 'AVAILABLE'],
      ['1', 'AVAILABLE'],
    ]);
    expect((await gateway.call('/v1/models/digits/labels/stable')).json().model_version_status).toHaveLength(1);
    const broken = await gateway.call('/v1/models/broken');
    expect([broken.status, broken.json().model_version_status[0].state]).toEqual([503, 'END']);
    expect(broken.json().model_version_status[0].status.error_message).not.toBe('');
    expect((await gateway.call('/v1/models/nobody')).status).toBe(404);
    const { metadata, model_spec } = (await gateway.call('/v1/models/digits/versions/1/metadata')).json();
    expect(model_spec.version).toBe('1');
    expect(metadata.signature_def.signature_def.serving_default.outputs.digit.dtype).toBe('DT_INT64');
  });

  it('take large and compressed bodies, and compress answers', async () => {
    const instances = Array.from({ length: 8 }, () => Array.from({ length: 4 }, (_, i) => i / 3));
    const padding = ' '.repeat(150_000);
    const body = gzipSync(`{"instances":${JSON.stringify(instances)}${padding}}`);
    const answer = await gateway.call('/v1/models/scale/versions/1:predict', {
      body,
      headers: { 'content-encoding': 'gzip' },
    });
    expect(answer.json().predictions.map((row: number[]) => row.map(Math.fround))).toEqual(
      instances.map((row) => row.map(Math.fround)),
    );
    const words = Array.from({ length: 2 }, () => ({ words: ['x'.repeat(10_000), 'y'], weight: 1 }));
    const packed = await gateway.post('/v1/models/echo:predict', { instances: words }, { 'accept-encoding': 'gzip' });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(JSON.parse(gunzipSync(packed.body).toString()).predictions).toHaveLength(2);
  });

  it('obey deadlines', async () => {
    const late = await gateway.post(
      '/v1/models/scale:predict',
      { instances: [[1, 2, 3, 4]] },
      { 'x-request-timeout-ms': 'x' },
    );
    expect([late.status, late.json().error]).toEqual([400, expect.stringContaining('x-request-timeout-ms')]);
  });

  it.each([
    ['/v1/models/scale:predict', '{"instances":[[1,2,3]]}', 400, /input 'x': expected shape \[-1,4\], got \[1,3\]/],
    ['/v1/models/scale:predict', '{"instances":[[1,2,3,"x"]]}', 400, /input "x": element 3 must be a number/],
    ['/v1/models/scale:predict', '{"instances":[[1,2,3,4],[1,2]]}', 400, /shape \[2,4\] expects 4 elements.*came 2/],
    ['/v1/models/scale:predict', '{"instances":[[1,2,3,4]', 400, /JSON at byte/],
    ['/v1/models/scale:predict', '\u00ff', 400, /JSON at byte 0: expected a number/],
    ['/v1/models/scale:predict', `{"instances":${'[9,'.repeat(200)}`, 400, /nested more than 64|end of the array/],
    [
      '/v1/models/scale:predict',
      `{"instances":${JSON.stringify(Array(9).fill([1, 2, 3, 4]))}}`,
      400,
      /batch size from 1 to 8/,
    ],
    ['/v1/models/echo:predict', '{"instances":[{"words":["a"]}]}', 400, /instance 0 has no input "weight"/],
    [
      '/v1/models/echo:predict',
      '{"instances":[["a"]]}',
      400,
      /have no names, expected an object with the inputs "words", "weight"/,
    ],
    [
      '/v1/models/echo:predict',
      '{"instances":[{"words":["a"],"weight":1.5}]}',
      400,
      /input "weight": element 0 must be an integer/,
    ],
    ['/v1/models/broken:predict', '{"instances":[1]}', 503, /broken/],
    ['/v1/models/nobody:predict', '{"instances":[1]}', 404, /nobody/],
    ['/v1/models/scale/versions/9:predict', '{"instances":[1]}', 404, /version 9/],
    ['/v1/models/scale:explain', '{"instances":[1]}', 501, /explanations are not served/],
    ['/v1/models/scale:train', '{"instances":[1]}', 404, /does not end in one of/],
  ])('refuse %s with %j', async (path, body, status, message) => {
    const refused = await gateway.call(path, { body });
    expect([refused.status, refused.json().error]).toEqual([status, expect.stringMatching(message)]);
    expect((await scale('', { instances: [[1, 2, 3, 4]] })).status).toBe(200);
  });

  it('explain by the model that the config names', async () => {
    const explain = (model: string) => gateway.post(`/v1/models/${model}:explain`, { instances: [[1, 2, 3, 4]] });
    expect((await explain('explained')).json()).toEqual({ explanations: [[10, 20, 30, 40]] });
    const lost = await explain('lost');
    expect([lost.status, lost.json().error]).toEqual([404, expect.stringContaining('gone')]);
    expect((await explain('nobody')).status).toBe(404);
    const wrong = await gateway.post('/v1/models/explained:explain', { instances: [[1]] });
    expect(wrong.status).toBe(400);
  });

  it('refuse bodies that are too large or end too soon, and go on', async () => {
    expect((await gateway.call('/v1/models/scale:predict', { body: ' '.repeat(4194305) })).status).toBe(413);
    await new Promise<void>((resolve) => {
      const socket = connect(gateway.httpPort, '127.0.0.1', () => {
        socket.end('POST /v1/models/scale:predict HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{"inst');
      });
      socket.on('close', () => resolve()).resume();
    });
    expect((await scale('', { instances: [[1, 2, 3, 4]] })).status).toBe(200);
  });
});
