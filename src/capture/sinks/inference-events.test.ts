import { describe, expect, it } from 'vitest';
import { storedRow } from '../../../test/support/captured-rows.js';
import { serialiseBytes } from '../../core/index.js';
import { binaryHeaders, eventsOf, structuredText } from './inference-events.js';
import { tensorsJson } from './v2-json.js';

const SETTINGS = { source: '/penstock', namespace: 'team' };

describe('events of an inference', () => {
  it('are those of the logger of KServe: one of the request and one of the answer, with one id', () => {
    const [asked, answered, ...others] = eventsOf(
      storedRow({ id: 'r 1', asked: [{ name: 'y', classification: 2 }], parameters: { top: 3 } }),
      SETTINGS,
    );
    expect(others).toEqual([]);
    expect(asked?.attributes).toEqual({
      specversion: '1.0',
      id: 'r 1',
      source: '/penstock',
      type: 'org.kubeflow.serving.inference.request',
      time: '2026-11-21T12:00:00.000Z',
      datacontenttype: 'application/json',
      inferenceservicename: 'm',
      namespace: 'team',
      component: 'predictor',
      endpoint: '',
      samplerate: '1',
      modelversion: '3',
    });
    expect(JSON.parse(asked?.data ?? '')).toEqual({
      id: 'r 1',
      parameters: { top: 3 },
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1.5, -2] }],
      outputs: [{ name: 'y', parameters: { classification: 2 } }],
    });
    expect(answered?.attributes).toMatchObject({
      id: 'r 1',
      type: 'org.kubeflow.serving.inference.response',
      latencyus: '12.5',
      computeus: '10',
      batchrows: '1',
    });
    expect(JSON.parse(answered?.data ?? '')).toEqual({
      model_name: 'm',
      model_version: '3',
      id: 'r 1',
      outputs: [{ name: 'y', datatype: 'FP32', shape: [1, 1], data: [3] }],
    });
  });

  it('have what is known of caller, trace and cost as extensions, and an id of their own where the request has none', () => {
    const [asked, answered] = eventsOf(
      storedRow({
        id: '',
        route: 'canary',
        tenant: 'acme',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        headers: { 'user-agent': 'a "b"' },
        error: 'BACKEND_FAILED',
        version: undefined,
        deviceUs: 5,
        cost: 2e-6,
      }),
      SETTINGS,
    );
    expect(asked?.attributes.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(answered?.attributes).toMatchObject({
      id: asked?.attributes.id,
      route: 'canary',
      tenant: 'acme',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      metadata: '{"user-agent":"a \\"b\\""}',
      reason: 'BACKEND_FAILED',
      deviceus: '5',
      cost: '0.000002',
    });
    expect(JSON.parse(answered?.data ?? '')).toEqual({ id: '', error: 'BACKEND_FAILED' });
    const header = binaryHeaders(answered as NonNullable<typeof answered>)['ce-metadata'] as string;
    expect(header).toMatch(/^[\x21-\x7e]*$/);
    expect(JSON.parse(decodeURIComponent(header))).toEqual({ 'user-agent': 'a "b"' });
  });

  it('are only those of the halves that rules keep, and in structured mode one JSON object', () => {
    const types = (changes: Parameters<typeof storedRow>[0]) =>
      eventsOf(storedRow(changes), SETTINGS).map(({ attributes }) => attributes.type?.split('.').at(-1));
    expect(types({ withAnswer: false })).toEqual(['request']);
    expect(types({ withRequest: false })).toEqual(['response']);
    expect(types({ withRequest: false, withAnswer: false })).toEqual(['response']);
    const [asked] = eventsOf(storedRow(), SETTINGS);
    const text = JSON.parse(structuredText(asked as NonNullable<typeof asked>));
    expect(text).toMatchObject({ specversion: '1.0', id: 'a', data: { inputs: [{ data: [1.5, -2] }] } });
  });
});

describe('tensors in JSON', () => {
  const one = (datatype: string, data: Uint8Array, changes = {}) =>
    JSON.parse(tensorsJson([{ name: 't', datatype, shape: [1], bytes: data.byteLength, ...changes }], data))[0];

  it('have their elements, whatever their type', () => {
    expect(one('BOOL', Uint8Array.of(1, 0)).data).toEqual([true, false]);
    expect(one('INT16', new Uint8Array(Int16Array.of(-5, 7).buffer)).data).toEqual([-5, 7]);
    expect(one('FP16', new Uint8Array(Uint16Array.of(0x3e00, 0xc000).buffer)).data).toEqual([1.5, -2]);
    expect(one('BF16', new Uint8Array(Uint16Array.of(0x3fc0).buffer)).data).toEqual([1.5]);
    expect(one('FP64', new Uint8Array(Float64Array.of(0.1, Number.NaN).buffer)).data).toEqual([0.1, null]);
    const wide = new Uint8Array(BigInt64Array.of(-(2n ** 62n)).buffer);
    expect(tensorsJson([{ name: 't', datatype: 'INT64', shape: [1], bytes: 8 }], wide)).toContain(
      '[-4611686018427387904]',
    );
  });

  it('have texts, or base64 where one is no text', () => {
    const texts = serialiseBytes([Buffer.from('é'), Buffer.from('')]);
    expect(one('BYTES', texts).data).toEqual(['é', '']);
    const raw = one('BYTES', serialiseBytes([Buffer.from('a'), Uint8Array.of(255)]));
    expect(raw).toMatchObject({ data: ['YQ==', '/w=='], parameters: { encoding: 'base64' } });
  });

  it('have no elements where they were left out', () => {
    expect(one('FP32', new Uint8Array(0), { redacted: 'dropped' })).toEqual({
      name: 't',
      datatype: 'FP32',
      shape: [1],
      parameters: { redacted: 'dropped' },
    });
  });
});
