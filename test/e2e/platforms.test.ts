import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ModelFolder } from '../support/model-folder.js';
import { exampleRepository, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const SAMPLES = join(import.meta.dirname, '../../deploy/examples/samples');
const V2 = readFileSync(join(SAMPLES, 'digit-3.json'), 'utf8');
const PIXELS = (JSON.parse(V2) as { inputs: [{ data: number[] }] }).inputs[0].data;

let gateway: RunningGateway | undefined;
afterEach(async () => {
  expect((await gateway?.stop()) ?? 0).toBe(0);
  gateway = undefined;
});

/** A port that is free now: that of the platform cannot be found out afterwards. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => {
    server.once('listening', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

async function post(url: string, body: string | Buffer, headers: Record<string, string> = {}) {
  const sent = typeof body === 'string' ? body : new Uint8Array(body);
  const answer = await fetch(url, { method: 'POST', body: sent, headers });
  const bytes = Buffer.from(await answer.arrayBuffer());
  return {
    status: answer.status,
    type: answer.headers.get('content-type') ?? '',
    bytes,
    json: () => JSON.parse(bytes.toString()) as never,
  };
}

async function serveSagemaker(
  models: ModelFolder,
  flags: readonly string[] = [],
): Promise<readonly [RunningGateway, string]> {
  const port = await freePort();
  const own = ['--allow-sagemaker=true', '--sagemaker-address', '127.0.0.1', '--sagemaker-port', String(port)];
  return [await RunningGateway.start(models, [...own, ...flags]), `http://127.0.0.1:${port}`];
}

describe('Amazon SageMaker', () => {
  let served: RunningGateway;
  let url: string;
  beforeAll(async () => {
    [served, url] = await serveSagemaker(exampleRepository(), ['--sagemaker-default-model', 'digits']);
  });
  afterAll(async () => {
    expect(await served.stop()).toBe(0);
  });

  it('finds /ping, and V2, V1, plain JSON, images and CSV at /invocations', async () => {
    expect((await fetch(`${url}/ping`)).status).toBe(200);
    const json = { 'content-type': 'application/json' };
    expect((await post(`${url}/invocations`, V2, json)).json()).toMatchObject({
      model_name: 'digits',
      outputs: [{}, { data: [3] }],
    });
    expect((await post(`${url}/invocations`, JSON.stringify({ instances: [PIXELS] }), json)).json()).toMatchObject({
      predictions: [{ digit: [3] }],
    });
    expect((await post(`${url}/invocations`, JSON.stringify({ pixels: PIXELS }), json)).json()).toMatchObject({
      digit: 3,
    });
    const image = await post(`${url}/invocations`, readFileSync(join(SAMPLES, 'digit-7.png')), {
      'content-type': 'application/x-image',
    });
    expect(image.json()).toMatchObject({ digit: 7 });
    expect((await post(`${url}/invocations`, PIXELS.join(), { 'content-type': 'text/csv' })).json()).toMatchObject([
      { digit: 3 },
    ]);
  });

  it('sends and gets binary tensors by its media type', async () => {
    const head = JSON.stringify({
      inputs: [{ name: 'pixels', shape: [1, 64], datatype: 'FP32', parameters: { binary_data_size: 256 } }],
      outputs: [{ name: 'digit', parameters: { binary_data: true } }],
    });
    const body = Buffer.concat([Buffer.from(head), Buffer.from(Float32Array.from(PIXELS).buffer)]);
    const type = 'application/vnd.sagemaker-triton.binary+json;json-header-size=';
    const answer = await post(`${url}/invocations`, body, { 'content-type': `${type}${head.length}` });
    expect([answer.status, answer.type.startsWith(type)]).toEqual([200, true]);
    expect(answer.bytes.readBigInt64LE(Number(answer.type.slice(type.length)))).toBe(3n);
    for (const wrong of ['x', '', '99999']) {
      const refused = await post(`${url}/invocations`, body, { 'content-type': `${type}${wrong}` });
      expect(refused.status).toBe(400);
    }
    expect((await post(`${url}/invocations`, V2, { 'content-type': `${type}0` })).status).toBe(400);
  });

  it('has these routes and no others, with errors as everywhere', async () => {
    expect((await fetch(`${url}/v2/models/digits`)).status).toBe(404);
    expect((await fetch(`${url}/ping`, { method: 'PUT' })).status).toBe(405);
    const wrong = await post(`${url}/invocations`, '{"pixel":[1]}');
    expect([wrong.status, (wrong.json() as { error: string }).error]).toEqual([
      400,
      expect.stringContaining("did you mean 'pixels'?"),
    ]);
    expect((await post(`${url}/invocations`, '')).status).toBe(400);
    expect((await post(`${url}/invocations`, V2)).status).toBe(200);
  });

  it('asks for the name of the model where there are several, and takes the only one', async () => {
    const [several, nameless] = await serveSagemaker(repositoryOf({ one: 'identity_fixed', other: 'identity_fixed' }));
    gateway = several;
    const refused = await post(`${nameless}/invocations`, '[1,2,3,4]');
    expect([refused.status, (refused.json() as { error: string }).error]).toEqual([
      404,
      expect.stringContaining('none is the default one'),
    ]);
    await several.stop();
    const [single, only] = await serveSagemaker(repositoryOf({ only: 'identity_fixed' }));
    gateway = single;
    const answer = await post(`${only}/invocations`, '[1,2,3,4]');
    expect([answer.status, answer.json()]).toEqual([200, { OUTPUT0: [1, 2, 3, 4] }]);
  });

  it('is refused a port that another process has', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => {
      other.once('listening', resolve);
    });
    const { port } = other.address() as AddressInfo;
    const flags = ['--allow-sagemaker', '--sagemaker-address', '127.0.0.1', '--sagemaker-port', String(port)];
    await expect(RunningGateway.start(repositoryOf({ m: 'identity_fixed' }), flags)).rejects.toThrow(
      `SageMaker: cannot listen on 127.0.0.1 port ${port}`,
    );
    other.close();
  });
});

describe('Google Vertex AI', () => {
  it('finds its routes, V1 and V2 at that of predictions, and may name another model', async () => {
    const port = await freePort();
    gateway = await RunningGateway.start(exampleRepository(), [
      ...[
        '--allow-vertex-ai',
        '--vertex-ai-address',
        '127.0.0.1',
        '--vertex-ai-port',
        String(port),
        '--vertex-ai-default-model',
        'digits',
      ],
      ...[
        '--vertex-ai-health-route',
        '/v1/endpoints/1/deployedModels/2',
        '--vertex-ai-predict-route',
        '/v1/endpoints/1/deployedModels/2:predict',
      ],
    ]);
    const url = `http://127.0.0.1:${port}/v1/endpoints/1/deployedModels/2`;
    expect((await fetch(url)).status).toBe(200);
    expect(
      (await post(`${url}:predict`, JSON.stringify({ instances: [PIXELS], parameters: {} }))).json(),
    ).toMatchObject({ predictions: [{ digit: [3] }] });
    expect((await post(`${url}:predict`, V2)).json()).toMatchObject({ model_version: '2' });
    const redirect = { 'X-Vertex-Ai-Triton-Redirect': 'v2/models/digits/versions/1/infer' };
    expect((await post(`${url}:predict`, V2, redirect)).json()).toMatchObject({ model_version: '1' });
    const elsewhere = await post(`${url}:predict`, '{}', { 'X-Vertex-Ai-Triton-Redirect': 'v2/repository/index' });
    expect(elsewhere.status).toBe(501);
    expect((await fetch(`http://127.0.0.1:${port}/v2`)).status).toBe(404);
  });
});
