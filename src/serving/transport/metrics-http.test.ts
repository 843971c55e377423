import { expect, it } from 'vitest';
import { KeptLog } from '../../../test/support/http-server.js';
import { startMetricsHttp } from './metrics-http.js';

it('serves the scrape, survives one that fails, and knows nothing else', async () => {
  const log = new KeptLog();
  let fail = false;
  const scrape = async (accept: string) => {
    if (fail) throw new Error('disk full at /secret');
    return { text: 'up 1\n', contentType: accept === 'open' ? 'open' : 'text/plain; version=0.0.4' };
  };
  const server = await startMetricsHttp({ port: 0, scrape, log });
  const url = `http://127.0.0.1:${server.port}`;
  const answer = await fetch(`${url}/metrics`);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4');
  expect(await answer.text()).toBe('up 1\n');
  const asked = await fetch(`${url}/metrics`, { headers: { accept: 'open' } });
  expect(asked.headers.get('content-type')).toBe('open');
  fail = true;
  const failed = await fetch(`${url}/metrics`);
  expect(failed.status).toBe(500);
  expect(await failed.text()).not.toContain('secret');
  expect(log.lines).toHaveLength(1);
  fail = false;
  expect((await fetch(`${url}/metrics`)).status).toBe(200);
  expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
  expect((await fetch(`${url}/v2`)).status).toBe(404);
  await server.close();
  await server.close();
  await expect(fetch(`${url}/metrics`)).rejects.toThrow();
});
