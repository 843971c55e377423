import { describe, expect, it } from 'vitest';
import { combinedFormat, jsonFormat } from './access-format.js';
import type { AccessRecord } from './access-record.js';

const ALL = { client: true, userAgent: true, tenant: true };

const RECORD: AccessRecord = {
  protocol: 'http',
  method: 'POST',
  path: '/v2/models/m/infer',
  client: '10.0.0.7',
  userAgent: 'client/1.0 (test)',
  status: 200,
  reason: undefined,
  requestBytes: 64,
  replyBytes: 128,
  totalNs: 1_234_567,
  endedMs: Date.UTC(2026, 10, 21, 17, 5, 6, 789),
  inference: {
    model: 'm',
    version: 2,
    route: 'default',
    tenant: 'acme',
    requestId: 'r 1',
    traceId: 'a'.repeat(32),
    queueNs: 1500,
    computeNs: 1_000_000,
    batchRows: 4,
  },
};

describe('a line of the access log', () => {
  it('is a JSON object', () => {
    const text = jsonFormat(ALL)(RECORD);
    expect(text.endsWith('}\n')).toBe(true);
    expect(JSON.parse(text)).toEqual({
      time: '2026-11-21T17:05:06.789Z',
      protocol: 'http',
      method: 'POST',
      path: '/v2/models/m/infer',
      client: '10.0.0.7',
      status: 200,
      bytesIn: 64,
      bytesOut: 128,
      totalMs: 1.235,
      queueMs: 0.002,
      computeMs: 1,
      model: 'm',
      version: 2,
      route: 'default',
      tenant: 'acme',
      batchRows: 4,
      requestId: 'r 1',
      traceId: 'a'.repeat(32),
      userAgent: 'client/1.0 (test)',
    });
  });

  it('is one that readers of web logs know', () => {
    expect(combinedFormat(ALL)({ ...RECORD, status: 504, reason: 'DEADLINE_EXCEEDED' })).toBe(
      `10.0.0.7 - acme [21/Nov/2026:17:05:06 +0000] "POST /v2/models/m/infer HTTP/1.1" 504 128 "-" "client/1.0 (test)" ` +
        `totalMs=1.235 queueMs=0.002 computeMs=1 reason=DEADLINE_EXCEEDED bytesIn=64 model=m version=2 route=default ` +
        `batchRows=4 requestId="r 1" traceId=${'a'.repeat(32)}\n`,
    );
  });

  it('says nothing of what is not wanted, and less of what is no inference', () => {
    const none = { client: false, userAgent: false, tenant: false };
    for (const text of [jsonFormat(none)(RECORD), combinedFormat(none)(RECORD)])
      for (const hidden of ['10.0.0.7', 'client/1.0', 'acme']) expect(text).not.toContain(hidden);
    expect(Object.keys(JSON.parse(jsonFormat(none)({ ...RECORD, inference: undefined })))).toEqual([
      'time',
      'protocol',
      'method',
      'path',
      'status',
      'bytesIn',
      'bytesOut',
      'totalMs',
    ]);
  });

  it('is one line without credentials, whatever a caller sends', () => {
    const bad = 'x"\n\u0000\u001b[31m Bearer abcdef123456\r\n';
    const record = {
      ...RECORD,
      userAgent: bad,
      path: `/${bad}`,
      inference: { ...RECORD.inference!, requestId: bad, tenant: bad, model: bad },
    };
    for (const format of [jsonFormat(ALL), combinedFormat(ALL)]) {
      const text = format(record);
      expect(text.split('\n')).toHaveLength(2);
      expect([...text.slice(0, -1)].filter((character) => character < ' ')).toEqual([]);
      expect(text).not.toContain('abcdef123456');
    }
  });
});
