import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exampleRepository, RunningGateway } from '../support/running-gateway.js';

const SAMPLES = join(import.meta.dirname, '../../deploy/examples/samples');
const REQUEST = JSON.parse(readFileSync(join(SAMPLES, 'digit-3.json'), 'utf8')) as { inputs: [{ data: number[] }] };
const PIXELS = REQUEST.inputs[0].data;
const ATTRIBUTES = { specversion: '1.0', id: 'a-1', source: '/me', type: 'my.request' };
const HEADERS = Object.fromEntries(Object.entries(ATTRIBUTES).map(([name, value]) => [`ce-${name}`, value]));
const STRUCTURED = { 'content-type': 'application/cloudevents+json' };

/** Every route that takes events, a body of it, and where its answer says which digit it is. */
const ROUTES = [
  ['/predict/digits', { pixels: PIXELS }, { digit: 3 }],
  ['/v1/models/digits:predict', { instances: [PIXELS] }, { predictions: [{ digit: [3] }] }],
  ['/v2/models/digits/infer', { ...REQUEST, outputs: [{ name: 'digit' }] }, { outputs: [{ data: [3] }] }],
  ['/v2/models/digits/versions/1/infer', { ...REQUEST, outputs: [{ name: 'digit' }] }, { outputs: [{ data: [3] }] }],
] as const;

describe('CloudEvents', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await RunningGateway.start(exampleRepository(), ['--offload-json-bytes', '4096']);
  });
  afterAll(async () => {
    expect(await gateway.stop()).toBe(0);
  });

  it.each(ROUTES)('are taken and given by %s, attributes as headers', async (path, body, answer) => {
    const { status, headers, json } = await gateway.post(path, body, {
      ...HEADERS,
      'content-type': 'application/json',
    });
    expect(status).toBe(200);
    expect(json()).toMatchObject(answer);
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-type': 'io.kserve.inference.response',
      'ce-source': 'io.kserve.inference.digits',
    });
    expect(headers['ce-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(Math.abs(Date.parse(String(headers['ce-time'])) - Date.now())).toBeLessThan(3_600_000);
    expect(headers['x-penstock-version']).toMatch(/^[12]$/);
  });

  it.each(ROUTES)('are taken and given by %s as one JSON object', async (path, body, answer) => {
    const { status, headers, json } = await gateway.post(path, { ...ATTRIBUTES, data: body }, STRUCTURED);
    expect([status, headers['content-type'], headers['ce-id']]).toEqual([
      200,
      'application/cloudevents+json',
      undefined,
    ]);
    expect(json()).toMatchObject({ specversion: '1.0', datacontenttype: 'application/json', data: answer });
  });

  it('carry images, in both modes', async () => {
    const file = readFileSync(join(SAMPLES, 'digit-7.png'));
    const binary = await gateway.call('/predict/digits', {
      body: file,
      headers: { ...HEADERS, 'content-type': 'image/png' },
    });
    expect(binary.json()).toMatchObject({ digit: 7 });
    const event = { ...ATTRIBUTES, datacontenttype: 'image/png', data_base64: file.toString('base64') };
    expect((await gateway.post('/predict/digits', event, STRUCTURED)).json()).toMatchObject({ data: { digit: 7 } });
  });

  it('carry large bodies, which are decoded on pool threads', async () => {
    const rows = new Array<number[]>(60).fill(PIXELS);
    const plain = await gateway.post('/predict/digits', { ...ATTRIBUTES, data: rows }, STRUCTURED);
    expect(plain.json().data).toHaveLength(60);
    const inputs = [{ name: 'pixels', shape: [60, 64], datatype: 'FP32', data: rows }];
    const v2 = await gateway.post('/v2/models/digits/infer', { ...ATTRIBUTES, data: { inputs } }, STRUCTURED);
    expect(v2.json().data.outputs[1].data).toHaveLength(60);
    expect(
      (await gateway.post('/v1/models/digits:predict', { ...ATTRIBUTES, data: { instances: rows } }, STRUCTURED)).json()
        .data.predictions,
    ).toHaveLength(60);
  });

  it('carry binary tensors out, as base64 in JSON', async () => {
    const data = { ...REQUEST, outputs: [{ name: 'digit', parameters: { binary_data: true } }] };
    const answer = await gateway.post('/v2/models/digits/infer', { ...ATTRIBUTES, data }, STRUCTURED);
    const event = answer.json() as { data_base64: string; datacontenttype: string };
    expect(event.datacontenttype).toBe('application/octet-stream');
    const bytes = Buffer.from(event.data_base64, 'base64');
    expect(bytes.readBigInt64LE(Number(answer.headers['inference-header-content-length']))).toBe(3n);
  });

  it('are refused where they are none, and errors are no events', async () => {
    for (const [path] of ROUTES) {
      const { 'ce-id': _, ...lacking } = HEADERS;
      const header = await gateway.post(path, {}, lacking);
      expect([header.status, header.json().error]).toEqual([400, 'CloudEvent: the header ce-id is missing or empty']);
      const old = await gateway.post(path, { ...ATTRIBUTES, specversion: '0.3', data: {} }, STRUCTURED);
      expect([old.status, old.json().error]).toEqual([400, 'CloudEvent: "specversion" is "0.3", expected 1.0']);
      const batch = await gateway.post(path, [], { 'content-type': 'application/cloudevents-batch+json' });
      expect(batch.status).toBe(415);
      const wrong = await gateway.post(path, { ...ATTRIBUTES, data: { nonsense: 1 } }, STRUCTURED);
      expect([wrong.status, wrong.headers['content-type']]).toEqual([400, 'application/json']);
    }
  });
});
