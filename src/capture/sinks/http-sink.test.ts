import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keptReport, storedRow } from '../../../test/support/captured-rows.js';
import { type HttpSettings, HttpSink } from './http-sink.js';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let server: Server;
let received: Received[];
/** What is done with each call; by default it is taken. */
let handle: (reply: ServerResponse, index: number) => void;
beforeEach(async () => {
  received = [];
  handle = (reply) => reply.writeHead(204).end();
  server = createServer((request, reply) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => handle(reply, received.push({ headers: request.headers, body }) - 1));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** A sink whose timers fire when the test says so, but for those of `close`. */
function setUp(settings: Partial<HttpSettings> = {}) {
  const report = keptReport();
  const timers: { readonly ms: number; readonly fire: () => void }[] = [];
  const after = (ms: number, fire: () => void) => {
    const timer = { ms, fire };
    timers.push(timer);
    return () => {
      if (timers.includes(timer)) timers.splice(timers.indexOf(timer), 1);
    };
  };
  const sink = new HttpSink(
    {
      kind: 'http',
      name: 'events',
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      mode: 'binary',
      source: '/penstock',
      namespace: '',
      token: undefined,
      timeoutMs: 60_000,
      retries: 2,
      maxInFlight: 2,
      batchRows: 10,
      maxQueueBytes: 1e6,
      ...settings,
    },
    { nowMs: () => 0, after },
    report,
  );
  return { sink, report, timers };
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
}

describe('events over HTTP', () => {
  it('come one a call with their attributes in headers, and with the token', async () => {
    const { sink, report } = setUp({ token: 'secret' });
    sink.add(storedRow({ id: 'a' }));
    sink.add(storedRow({ id: 'b' }));
    await sink.close(60_000);
    expect(report.news).toEqual(['delivered 1', 'delivered 1']);
    expect(received.map(({ headers }) => `${headers['ce-id']} ${headers['ce-type']}`).sort()).toEqual([
      'a org.kubeflow.serving.inference.request',
      'a org.kubeflow.serving.inference.response',
      'b org.kubeflow.serving.inference.request',
      'b org.kubeflow.serving.inference.response',
    ]);
    expect(received[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-inferenceservicename': 'm',
      authorization: 'Bearer secret',
    });
    expect(JSON.parse(received[0]?.body ?? '').inputs[0].data).toEqual([1.5, -2]);
    expect(report.queuedBytes()).toBe(0);
  });

  it('come as JSON, alone or many in an array', async () => {
    const one = setUp({ mode: 'structured' });
    one.sink.add(storedRow());
    await one.sink.close(60_000);
    expect(received.map(({ headers }) => headers['content-type'])).toEqual([
      'application/cloudevents+json; charset=utf-8',
      'application/cloudevents+json; charset=utf-8',
    ]);
    received.length = 0;
    const many = setUp({ mode: 'batched' });
    for (let i = 0; i < 4; i++) many.sink.add(storedRow({ id: String(i) }));
    expect(many.timers).toHaveLength(1);
    many.timers[0]?.fire();
    await many.sink.close(60_000);
    expect(received).toHaveLength(1);
    expect(received[0]?.headers['content-type']).toBe('application/cloudevents-batch+json; charset=utf-8');
    expect(JSON.parse(received[0]?.body ?? '')).toHaveLength(8);
    expect(many.report.deliveredRows()).toBe(4);
  });

  it('are sent again with growing waits where the receiver cannot take them, and given up after so many tries', async () => {
    handle = (reply, index) => reply.writeHead(index < 2 ? 503 : 200).end();
    const { sink, report, timers } = setUp({ maxInFlight: 1 });
    sink.add(storedRow());
    await until(() => timers.length === 1);
    const first = timers[0]?.ms as number;
    timers[0]?.fire();
    await until(() => report.retries() === 2 && timers.length === 1);
    expect(timers[0]?.ms as number).toBeGreaterThan(first);
    timers[0]?.fire();
    await until(() => report.deliveredRows() === 1);
    handle = (reply) => reply.writeHead(500).end();
    sink.add(storedRow());
    for (let tries = 0; tries < 2; tries++) {
      await until(() => timers.length === 1);
      timers[0]?.fire();
    }
    await until(() => report.news.length === 2);
    expect(report.news[1]).toBe('failed 1: status 500');
    expect(report.queuedBytes()).toBe(0);
  });

  it('that the receiver refuses for good are not sent again', async () => {
    handle = (reply) => reply.writeHead(403).end();
    const { sink, report } = setUp();
    sink.add(storedRow());
    await until(() => report.news.length === 1);
    expect(report.news).toEqual(['refused 1: status 403']);
    expect(received).toHaveLength(1);
  });

  it('wait in bounded memory where the receiver is dead, and a sink that closes gives them up in time', async () => {
    handle = () => {}; // never answers
    const { sink, report, timers } = setUp({ maxQueueBytes: 10_000 });
    for (let i = 0; i < 10_000; i++) sink.add(storedRow());
    expect(report.mostQueuedBytes()).toBeLessThanOrEqual(10_000);
    expect(report.drops('queue_full')).toBe(10_000 - 9);
    await until(() => received.length === 2);
    const closed = sink.close(5000);
    expect(timers.map(({ ms }) => ms)).toEqual([5000]);
    timers[0]?.fire();
    await closed;
    expect(report.drops('closed')).toBe(9);
    expect(report.queuedBytes()).toBe(0);
  });

  it('are lost where nobody listens, and told', async () => {
    const { sink, report } = setUp({ retries: 0, url: 'http://127.0.0.1:1/' });
    sink.add(storedRow());
    await until(() => report.news.length === 1);
    expect(report.news[0]).toMatch(/^failed 1: /);
  });
});
