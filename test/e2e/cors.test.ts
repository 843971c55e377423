import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { refusedStart } from '../support/refused-start.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

let gateway: RunningGateway | undefined;
afterEach(async () => {
  await gateway?.stop();
  gateway = undefined;
});

const PAGE = 'https://app.example';

describe('pages of other origins', () => {
  it('may call and read the origins that --cors-allow-origin names, and open WebSockets', async () => {
    const flags = [`--cors-allow-origin=${PAGE}:443/`, '--cors-allow-origin=http://localhost:3000'];
    gateway = await RunningGateway.start(repositoryOf({ m: 'identity_fixed' }), [...flags, '--cors-max-age-secs=5']);
    const path = '/v2/models/m/infer';
    const asked = await gateway.call(path, {
      method: 'OPTIONS',
      headers: { origin: PAGE, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-a' },
    });
    expect([asked.status, asked.headers['access-control-allow-methods']]).toEqual([204, 'POST']);
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': PAGE,
      'access-control-allow-headers': 'x-a',
      'access-control-max-age': '5',
    });
    const body = JSON.stringify({ inputs: [{ name: 'INPUT0', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }] });
    const headers = { origin: PAGE };
    const answer = await gateway.call(path, { body, headers });
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': PAGE,
      'access-control-expose-headers': '*',
      vary: 'Origin',
    });
    const other = await gateway.call(path, { body, headers: { origin: 'https://evil.example' } });
    expect([other.status, other.headers['access-control-allow-origin']]).toEqual([200, undefined]);

    const opened = (origin: string) =>
      new Promise((resolve) => {
        const socket = new WebSocket(`ws://127.0.0.1:${gateway?.httpPort}/v2/models/m/stream`, { origin });
        socket.once('open', () => resolve('open'));
        socket.once('unexpected-response', (_, { statusCode }) => resolve(statusCode));
        socket.on('error', () => {});
      });
    expect(await opened('http://localhost:3000')).toBe('open');
    expect(await opened('https://evil.example')).toBe(403);
  });

  it('are told of at the start where they are no origins', () => {
    const { status, stderr } = refusedStart(['--cors-allow-origin=https://app.example/page']);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/--cors-allow-origin: 'https:\/\/app\.example\/page' is no origin/);
  });
});
