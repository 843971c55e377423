import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refusal } from '../../../../test/support/refusal.js';
import { answerEvent, checkEventHeaders, type EventMode, eventMode, openEvent } from './cloud-event.js';

const EVENT = { specversion: '1.0', id: '1', source: '/s', type: 't' };
const open = (event: unknown) => {
  const { data, contentType } = openEvent(Buffer.from(typeof event === 'string' ? event : JSON.stringify(event)));
  return [Buffer.from(data).toString(), contentType];
};

describe('a CloudEvent in', () => {
  it('is told by its headers', () => {
    expect(eventMode('application/json', '')).toBeUndefined();
    expect(eventMode('image/png', '1.0')).toBe('binary');
    expect(eventMode('application/cloudevents+json; charset=utf-8', '')).toBe('structured');
    expect(refusal(() => eventMode('application/cloudevents-batch+json', ''))).toContain(
      'UNSUPPORTED_MEDIA: a batch of CloudEvents',
    );
  });

  it('has its data as they were written', () => {
    const written = '{ "x" : [1.50, 9007199254740993] }';
    expect(open(`{"data":${written},"specversion":"1.0","id":"1","source":"/s","type":"t","extra":{"a":[]}}`)).toEqual([
      written,
      'application/json',
    ]);
    expect(open({ ...EVENT, datacontenttype: 'text/csv', data: '1,2\n' })).toEqual(['1,2\n', 'text/csv']);
    expect(open({ ...EVENT, datacontenttype: 'application/vnd.x+json; a=b', data: 'text' })[0]).toBe('"text"');
    expect(open({ ...EVENT, data_base64: 'aGk=' })).toEqual(['hi', 'application/octet-stream']);
    expect(open({ ...EVENT, datacontenttype: 'image/png', data_base64: 'aGk=' })).toEqual(['hi', 'image/png']);
  });

  it.each([
    ['"id" is missing or empty', { ...EVENT, id: '', data: 1 }],
    ['"source" is missing or empty', { specversion: '1.0', id: '1', type: 't', data: 1 }],
    ['"specversion" is "0.3", expected 1.0', { ...EVENT, specversion: '0.3', data: 1 }],
    ['neither "data" nor "data_base64"', EVENT],
    ['both "data" and "data_base64"', { ...EVENT, data: 1, data_base64: '' }],
    ['not base64', { ...EVENT, data_base64: '*' }],
    ['it has "id" twice', '{"specversion":"1.0","id":"1","id":"2"}'],
    ['JSON at byte 0', '[]'],
    ['JSON at byte 17', '{"specversion":1}'.replace('1}', 'x}')],
  ])('is refused where %s', (why, event) => {
    const said = refusal(() => open(event));
    expect(said).toMatch(/^MALFORMED_REQUEST: /);
    if (!why.startsWith('JSON at byte 17')) expect(said).toContain(why);
  });

  it('needs its attributes as headers', () => {
    const headers = (given: Record<string, string>) => refusal(() => checkEventHeaders((name) => given[name] ?? ''));
    const all = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' };
    expect(headers(all)).toBe('none');
    expect(headers({ ...all, 'ce-type': '' })).toBe(
      'MALFORMED_REQUEST: CloudEvent: the header ce-type is missing or empty',
    );
    expect(headers({ ...all, 'ce-specversion': '2' })).toBe(
      'MALFORMED_REQUEST: CloudEvent: the header ce-specversion is "2", expected 1.0',
    );
  });
});

describe('a CloudEvent out', () => {
  const made = (mode: EventMode, contentType: string, body: string, model = 'm') =>
    answerEvent(mode, { model, id: 'i', timeMs: 0, contentType, body: Buffer.from(body) });

  it('has its attributes in headers, and the body as it is', () => {
    const { contentType, body, headers } = made('binary', 'application/json', '{}', 'modèle "1"');
    expect([contentType, Buffer.from(body).toString()]).toEqual(['application/json', '{}']);
    expect(headers).toEqual([
      ...['ce-specversion', '1.0', 'ce-id', 'i', 'ce-source', 'io.kserve.inference.mod%C3%A8le%20%221%22'],
      ...['ce-type', 'io.kserve.inference.response', 'ce-time', '1970-01-01T00:00:00.000Z'],
    ]);
  });

  it('is JSON around JSON, and base64 around the rest', () => {
    const json = made('structured', 'application/json', '{"a":[1.0]}', 'm"');
    expect(json.contentType).toBe('application/cloudevents+json');
    expect(Buffer.from(json.body).toString()).toContain('"data":{"a":[1.0]}}');
    expect(JSON.parse(Buffer.from(json.body).toString())).toMatchObject({
      source: 'io.kserve.inference.m"',
      datacontenttype: 'application/json',
    });
    const binary = made('structured', 'application/octet-stream', 'hi');
    expect(JSON.parse(Buffer.from(binary.body).toString())).toMatchObject({
      data_base64: 'aGk=',
      datacontenttype: 'application/octet-stream',
    });
  });

  it('can be read again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.json(), (bytes, json) => {
        const other = answerEvent('structured', { model: 'm', id: 'i', timeMs: 5, contentType: 'x/y', body: bytes });
        expect([...openEvent(other.body).data]).toEqual([...bytes]);
        expect(open(Buffer.from(made('structured', 'application/json', json).body).toString())[0]).toBe(json.trim());
      }),
      { numRuns: 50 },
    );
  });
});
