import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ModelFolder } from '../support/model-folder.js';
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

describe('an endpoint of several models of Amazon SageMaker', () => {
  const TYPE = { 'content-type': 'application/json' };
  const ROWS = '{"instances": [[1, 2, 3, 4]]}';
  let served: RunningGateway;
  let url: string;
  let archives: ModelFolder;
  beforeAll(async () => {
    archives = repositoryOf({
      // As the platform unpacks them: HASH/model/NAME/VERSION, HASH/model/VERSION.
      'hash-a/model/identity': { fixture: 'identity_fixed', config: 'name: "identity"\nmax_batch_size: 8\n' },
      'hash-b/model': 'identity_fixed',
      'several/model/one': 'identity_fixed',
      'several/model/two': 'identity_fixed',
      'broken/model': 'corrupt',
      'hungry/model': 'hungry',
    });
    mkdirSync(join(archives.path, 'empty', 'model'), { recursive: true });
    symlinkSync(tmpdir(), join(archives.path, 'outside'));
    [served, url] = await serveSagemaker(repositoryOf({ here: 'identity_fixed' }), [
      '--sagemaker-multi-model',
      '--sagemaker-models-folder',
      archives.path,
    ]);
  });
  afterAll(async () => {
    expect(await served.stop()).toBe(0);
    archives.remove();
  });

  const at = (archive: string) => join(archives.path, archive);
  const load = (name: unknown, folder: unknown) =>
    post(`${url}/models`, JSON.stringify({ model_name: name, url: folder }), TYPE);
  const invoke = (name: string, body = ROWS, headers: Record<string, string> = {}) =>
    post(`${url}/models/${name}/invoke`, body, { ...TYPE, ...headers });
  const drop = async (name: string) => (await fetch(`${url}/models/${name}`, { method: 'DELETE' })).status;
  const told = async (path: string) => {
    const answer = await fetch(`${url}${path}`);
    return [answer.status, await answer.json()] as const;
  };

  it('loads models from folders, invokes them by name, lists them and lets them go', async () => {
    expect((await fetch(`${url}/ping`)).status).toBe(200);
    expect(await told('/models')).toEqual([200, { models: [] }]);
    expect((await invoke('a')).status).toBe(404);
    expect((await load('a', at('hash-a/model'))).status).toBe(200);
    expect((await load('b', at('hash-b/model'))).status).toBe(200);
    const target = { 'X-Amzn-SageMaker-Target-Model': 'a.tar.gz' };
    expect((await invoke('a', ROWS, target)).json()).toEqual({ predictions: [[1, 2, 3, 4]] });
    expect((await invoke('b')).json()).toEqual({ predictions: [[1, 2, 3, 4]] });
    const rows = ['a', 'b'].map((name) => ({ modelName: name, modelUrl: at(`hash-${name}/model`) }));
    expect(await told('/models')).toEqual([200, { models: rows }]);
    expect(await told('/models?limit=1')).toEqual([200, { models: rows.slice(0, 1), nextPageToken: '1' }]);
    expect(await told('/models?limit=1&next_page_token=1')).toEqual([200, { models: rows.slice(1) }]);
    expect(await told('/models/b')).toEqual([200, rows[1]]);
    expect([(await load('a', at('hash-b/model'))).status, (await load('here', at('hash-b/model'))).status]).toEqual([
      409, 409,
    ]);
    expect([await drop('a'), await drop('a')]).toEqual([200, 404]);
    expect([(await invoke('a')).status, (await told('/models/a'))[0]]).toEqual([404, 404]);
    // A name that is free again.
    expect([(await load('a', at('hash-b/model'))).status, (await invoke('a')).status]).toEqual([200, 200]);
    expect([await drop('a'), await drop('b')]).toEqual([200, 200]);
    expect((await served.post('/v2/repository/index', {})).json()).toMatchObject([{ name: 'here' }]);
  });

  it('refuses, with the reason, and keeps nothing of what failed', async () => {
    const refused = async (name: unknown, folder: unknown) => {
      const answer = await load(name, folder);
      return [answer.status, (answer.json() as { error: string }).error];
    };
    for (const [folder, why] of [
      ['hash-a/model', 'not an absolute path'],
      ['/etc', 'not inside the folder of models'],
      [at('outside'), 'not inside the folder of models'],
      [at('nowhere'), "the folder of model 'x'"],
      [at('empty/model'), 'neither versions nor a config'],
      [at('several/model'), 'holds 2 folders'],
      [at('broken/model'), "failed to load 'x'"],
      [7, '"url" is a number'],
      [undefined, '"url" is a undefined'],
    ] as const)
      expect(await refused('x', folder)).toEqual([400, expect.stringContaining(why)]);
    expect((await refused('../x', at('hash-b/model')))[0]).toBe(400);
    expect((await refused(undefined, at('hash-b/model')))[0]).toBe(400);
    expect((await post(`${url}/models`, 'no json', TYPE)).status).toBe(400);
    expect((await told('/models?limit=0'))[0]).toBe(400);
    expect((await told('/models?next_page_token=x'))[0]).toBe(400);
    expect(await drop('here')).toBe(404);
    expect((await fetch(`${url}/models/here`, { method: 'PUT' })).status).toBe(405);
    expect(await told('/models')).toEqual([200, { models: [] }]);
    expect((await served.post('/v2/repository/index', {})).json()).toMatchObject([{ name: 'here', state: 'READY' }]);
    expect((await load('x', at('hash-b/model'))).status).toBe(200);
    expect((await invoke('x', '{"instances": [[1]]}')).status).toBe(400);
    expect(await drop('x')).toBe(200);
  });

  it('tells of memory that ran out by 507', async () => {
    expect((await load('hungry', at('hungry/model'))).status).toBe(200);
    const answer = await invoke('hungry', '{"inputs": {"n": [100000000000000]}}');
    expect([answer.status, (answer.json() as { error: string }).error]).toEqual([
      507,
      expect.stringContaining('memory'),
    ]);
    expect((await invoke('hungry', '{"inputs": {"n": [1]}}')).status).toBe(200);
    expect(await drop('hungry')).toBe(200);
  });

  it('needs no repository', async () => {
    const nothing = new ModelFolder();
    [gateway, url] = await serveSagemaker(nothing, [
      '--sagemaker-multi-model',
      '--sagemaker-models-folder',
      archives.path,
    ]);
    expect((await fetch(`${url}/ping`)).status).toBe(200);
    expect([(await load('a', at('hash-b/model'))).status, (await invoke('a')).status]).toEqual([200, 200]);
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
