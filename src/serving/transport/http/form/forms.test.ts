import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { httpOfEachTest } from '../../../../../test/support/http-of-each-test.js';
import type { HttpFixture } from '../../../../../test/support/http-server.js';
import { fp32, modelSpec } from '../../../../../test/support/specs.js';
import { ServingError, typedView } from '../../../../core/index.js';
import type { HttpOptions } from '../http-options.js';

const http = httpOfEachTest();

async function start(options: Partial<HttpOptions> = {}): Promise<HttpFixture> {
  return http.start(options);
}

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const sent = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  return fetch(`${http.fixture.url}${path}`, { method: 'POST', body: sent as never, headers });
}

const AVAILABLE = { version: '1', state: 'AVAILABLE', status: { error_code: 'OK', error_message: '' } };
/** What OpenAI's clients read of a model. */
const openAi = (id: string) => ({ id, object: 'model', created: expect.any(Number), owned_by: 'penstock' });
const NO_LABELS = { versionOf: () => 1, textModels: () => [] };
const ROWS = {
  instances: [
    [1, 2],
    [3, 4],
  ],
};

describe('predictions over HTTP', () => {
  it('answers rows and columns through the one path', async () => {
    const { inference } = await start();
    const rows = await post('/v1/models/m:predict', ROWS);
    expect([rows.status, rows.headers.get('content-type'), rows.headers.get('x-penstock-version')]).toEqual([
      200,
      'application/json',
      '1',
    ]);
    expect(await rows.json()).toEqual({ predictions: ROWS.instances });
    expect(await (await post('/v1/models/m:predict', { inputs: { x: [[5, 6]] } })).json()).toEqual({
      outputs: [[5, 6]],
    });
    const [first] = inference.requests;
    expect([first!.model, first!.version, first!.inputs[0]!.shape]).toEqual(['m', undefined, [2, 2]]);
    expect([...typedView('FP32', first!.inputs[0]!.data)]).toEqual([1, 2, 3, 4]);
  });

  it('takes the colon of a verb percent-encoded, and models whose names have colons', async () => {
    const { inference } = await start({ specs: { ...NO_LABELS, specOf: () => modelSpec() } });
    expect((await post('/v1/models/m%3Apredict', ROWS)).status).toBe(200);
    expect((await post('/v1/models/a:b:predict', ROWS)).status).toBe(200);
    expect(inference.requests.map(({ model }) => model)).toEqual(['m', 'a:b']);
  });

  it('waits for a spec that another thread is asked for', async () => {
    await start({ specs: { ...NO_LABELS, specOf: async () => modelSpec() } });
    expect(await (await post('/v1/models/m:predict', ROWS)).json()).toEqual({ predictions: ROWS.instances });
    const rejecting = { ...NO_LABELS, specOf: () => Promise.reject(new ServingError('VERSION_NOT_READY', 'loading')) };
    await http.fixture.server.close();
    await start({ specs: rejecting });
    const refused = await post('/v1/models/m:predict', ROWS);
    expect([refused.status, await refused.json()]).toEqual([503, { error: 'loading' }]);
  });

  it('decodes large bodies on a pool thread, compressed ones too', async () => {
    const { offload } = await start({ offloadJsonBytes: 1000 });
    const instances = Array.from({ length: 300 }, (_, i) => [i, -i - 1]);
    expect(await (await post('/v1/models/m:predict', { instances })).json()).toEqual({ predictions: instances });
    const packed = gzipSync(JSON.stringify({ instances }));
    const answer = await post('/v1/models/m:predict', packed, { 'Content-Encoding': 'gzip' });
    expect(await answer.json()).toEqual({ predictions: instances });
    expect(offload.ran).toEqual(['decodePredict', 'decompress', 'decodePredict']);
    const bad = await post('/v1/models/m:predict', JSON.stringify({ instances }).slice(0, -2));
    expect(bad.status).toBe(400);
  });

  it('carries deadline, tenant and criticality, and explains itself', async () => {
    const { inference } = await start({ tenantHeader: 'x-tenant' });
    const answer = await post('/v1/models/m:predict', ROWS, {
      'x-request-timeout-ms': '5000',
      'x-tenant': 'acme',
      'x-penstock-criticality': 'CRITICAL',
      'x-penstock-explain': '1',
    });
    expect(answer.headers.get('x-penstock-batch-size')).toBe('1');
    const [{ deadlineNs, receivedNs, tenantHeader, criticalityHeader }] = inference.requests as never as [
      { deadlineNs: number; receivedNs: number; tenantHeader: string; criticalityHeader: string },
    ];
    expect([deadlineNs - receivedNs, tenantHeader, criticalityHeader]).toEqual([5e9, 'acme', 'CRITICAL']);
  });

  it('cancels where the client goes away', async () => {
    const { inference } = await start();
    inference.hold = true;
    const gone = new AbortController();
    const sent = fetch(`${http.fixture.url}/v1/models/m:predict`, {
      method: 'POST',
      body: JSON.stringify(ROWS),
      signal: gone.signal,
    }).catch(() => 'gone');
    await inference.when(() => inference.held.length === 1);
    gone.abort();
    expect(await sent).toBe('gone');
    await inference.when(() => inference.cancelled === 1);
  });

  it.each([
    ['/v1/models/m:predict', '{"instances":', 400, /JSON at byte/],
    ['/v1/models/m:predict', 'not json', 400, /JSON at byte 0: expected a value/],
    ['/v1/models/m:predict', '', 400, /expected a JSON object or array/],
    ['/v1/models/m:predict', '{"instances":[["a","b"]]}', 400, /input "x": element 0 must be a number/],
    ['/v1/models/nobody:predict', '{"instances":[[1,2]]}', 404, /nobody/],
    ['/v1/models/m:explain', '{"instances":[[1,2]]}', 501, /explanations are not served/],
    ['/v1/models/m:other', '{}', 404, /does not end in one of ':predict'/],
    ['/v1/models/m', '{}', 404, /does not end in one of/],
    ['/v1/models/.m:predict', '{}', 400, /begins with a dot/],
    ['/v1/models/%ff:predict', '{}', 400, /percent-encoded/],
    ['/v1/models/:predict', '{}', 400, /is empty/],
  ])('refuses %s with %s', async (path, body, status, message) => {
    await start();
    const refused = await post(path, body);
    expect([refused.status, ((await refused.json()) as { error: string }).error]).toEqual([
      status,
      expect.stringMatching(message),
    ]);
    expect((await post('/v1/models/m:predict', ROWS)).status).toBe(200);
  });

  it('refuses bodies over the limit, and says which methods there are', async () => {
    await start({ maxInputBytes: 100 });
    expect((await post('/v1/models/m:predict', 'x'.repeat(101))).status).toBe(413);
    const put = await fetch(`${http.fixture.url}/v1/models/m:predict`, { method: 'PUT' });
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, POST, HEAD, OPTIONS']);
  });

  it('lists models and tells whether one is ready', async () => {
    await start();
    expect(await (await fetch(`${http.fixture.url}/v2/models`)).json()).toEqual({ models: ['m'] });
    const data = [openAi('m')];
    expect(await (await fetch(`${http.fixture.url}/v1/models`)).json()).toEqual({
      object: 'list',
      data,
      models: ['m'],
    });
    const ready = await fetch(`${http.fixture.url}/v1/models/m`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { name: 'm', ready: true, model_version_status: [AVAILABLE], ...openAi('m') },
    ]);
    expect((await fetch(`${http.fixture.url}/v1/models/nobody`)).status).toBe(404);
  });

  it('tells how versions stand, by number and by label', async () => {
    const { models } = await start();
    models.labels.stable = 1;
    models.notReady = [
      { name: 'm', version: 2, state: 'LOADING', reason: '' },
      { name: 'm', version: 3, state: 'UNAVAILABLE', reason: 'no such file' },
      { name: 'other', version: undefined, state: 'UNAVAILABLE', reason: 'broken' },
    ];
    const of = async (path: string) => {
      const answer = await fetch(`${http.fixture.url}/v1/models/${path}`);
      return [answer.status, await answer.json()];
    };
    const failed = { version: '3', state: 'END', status: { error_code: 'UNKNOWN', error_message: 'no such file' } };
    const loading = { ...AVAILABLE, version: '2', state: 'LOADING' };
    expect(await of('m')).toEqual([
      200,
      { name: 'm', ready: true, model_version_status: [failed, loading, AVAILABLE], ...openAi('m') },
    ]);
    expect(await of('m/versions/3')).toEqual([200, { model_version_status: [failed] }]);
    expect(await of('m/labels/stable')).toEqual([200, { model_version_status: [AVAILABLE] }]);
    expect(await of('other')).toEqual([
      503,
      { name: 'other', ready: false, model_version_status: [], ...openAi('other') },
    ]);
    expect(await of('m/versions/9')).toEqual([404, { error: "could not find version 9 of model 'm'" }]);
    expect((await of('m/labels/none'))[0]).toBe(404);
    expect((await of('m/versions/x'))[0]).toBe(400);
  });

  it('tells inputs and outputs as a signature', async () => {
    await start();
    const answer = await fetch(`${http.fixture.url}/v1/models/m/metadata`);
    const dim = (...sizes: string[]) => sizes.map((size) => ({ size, name: '' }));
    const tensor = (name: string) => ({
      name,
      dtype: 'DT_FLOAT',
      tensor_shape: { dim: dim('-1', '2'), unknown_rank: false },
    });
    expect(await answer.json()).toEqual({
      model_spec: { name: 'm', signature_name: '', version: '1' },
      metadata: {
        signature_def: {
          signature_def: {
            serving_default: {
              inputs: { x: tensor('x') },
              outputs: { y: tensor('y') },
              method_name: 'tensorflow/serving/predict',
            },
          },
        },
      },
    });
    expect((await fetch(`${http.fixture.url}/v1/models/nobody/metadata`)).status).toBe(404);
  });

  it('sends requests that name a version or a label to it', async () => {
    const { inference, models } = await start();
    models.labels['can/ary'] = 1;
    expect((await post('/v1/models/m/versions/1:predict', ROWS)).status).toBe(200);
    expect((await post('/v1/models/m/labels/can%2Fary:predict', ROWS)).status).toBe(200);
    expect(inference.requests.map(({ version }) => version)).toEqual([1, 1]);
    expect((await post('/v1/models/m/versions/7:predict', ROWS)).status).toBe(404);
    expect((await post('/v1/models/m/labels/none:predict', ROWS)).status).toBe(404);
    expect((await post('/v1/models/m/versions/1x:predict', ROWS)).status).toBe(400);
  });

  it('classifies and regresses examples', async () => {
    const { inference } = await start();
    inference.outputs = [fp32('scores', [2, 2], [0.25, 0.75, 1, 0])];
    const examples = [{ x: [1, 2], unknown: 'passed over' }, { x: [3, 4] }];
    const classes = await post('/v1/models/m:classify', { examples });
    expect([classes.status, await classes.json()]).toEqual([
      200,
      {
        result: [
          [
            ['', 0.25],
            ['', 0.75],
          ],
          [
            ['', 1],
            ['', 0],
          ],
        ],
      },
    ]);
    expect(inference.requests[0]!.inputs.map(({ name, shape }) => [name, shape])).toEqual([['x', [2, 2]]]);
    inference.outputs = [fp32('y', [2, 1], [1.5, -2])];
    const values = await post('/v1/models/m:regress', { examples: [{}, {}, {}, {}, {}, {}], context: { x: [1, 2] } });
    expect(await values.json()).toEqual({ result: [1.5, -2] });
    expect(inference.requests[1]!.inputs[0]!.shape).toEqual([6, 2]);
    expect([...typedView('FP32', inference.requests[1]!.inputs[0]!.data)].slice(-4)).toEqual([1, 2, 1, 2]);
    inference.outputs = [fp32('a', [2, 2]), fp32('b', [2, 2])];
    const unclear = await post('/v1/models/m:classify', { examples });
    expect([unclear.status, ((await unclear.json()) as { error: string }).error]).toEqual([
      501,
      expect.stringMatching(/classify needs an output "scores", or one only.*this model has 2/),
    ]);
  });

  it.each([
    [{}, /has no "examples"/],
    [{ examples: [] }, /"examples" is empty/],
    [{ examples: [{}] }, /example 0 has no input "x"/],
    [{ examples: [{ x: [1, 2] }, {}] }, /example 1 has no input "x"/],
    [{ context: { x: [1, 2] }, examples: [{ x: [1, 2] }] }, /example 0 has input "x", which the context has/],
    [{ examples: [[1]] }, /expected an object \(example 0\), came "\[1/],
    [{ examples: [{ x: ['a', 'b'] }] }, /input "x": element 0 must be a number/],
    [{ signature_name: 'no', examples: [{ x: [1, 2] }] }, /No signature was found with the name: "no"/],
    ['[]', /expected an object \(the request\)/],
  ])('refuses the examples %j', async (body, message) => {
    await start();
    for (const method of ['classify', 'regress']) {
      const refused = await post(`/v1/models/m:${method}`, body);
      expect([refused.status, ((await refused.json()) as { error: string }).error]).toEqual([
        400,
        expect.stringMatching(message),
      ]);
    }
  });

  it('documents its routes', async () => {
    await start();
    const document = (await (await fetch(`${http.fixture.url}/v2/docs/openapi.json`)).json()) as {
      paths: Record<string, { post: { requestBody: { required: boolean }; operationId: string } }>;
    };
    const { post: operation } = document.paths['/v1/models/{model}:predict']!;
    expect([operation.operationId, operation.requestBody.required]).toEqual(['postV1ModelsModelPredict', true]);
  });
});
