import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { httpOfEachTest } from '../../../../test/support/http-of-each-test.js';
import type { HttpFixture } from '../../../../test/support/http-server.js';
import { ServingError } from '../../../core/index.js';
import type { HttpOptions } from '../http/http-options.js';

const http = httpOfEachTest();

/** A client that hands out messages in the order they come. */
class Client {
  readonly socket: WebSocket;
  readonly opened: Promise<void>;
  readonly closed: Promise<number>;
  readonly #messages: { readonly data: Buffer; readonly binary: boolean }[] = [];
  readonly #waiting: ((message: { readonly data: Buffer; readonly binary: boolean }) => void)[] = [];

  constructor(url: string) {
    this.socket = new WebSocket(url);
    this.opened = new Promise((resolve, reject) => {
      this.socket.on('open', resolve);
      this.socket.on('error', reject);
    });
    this.closed = new Promise((resolve) => this.socket.on('close', resolve));
    this.socket.on('message', (data: Buffer, binary) => {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#messages.push({ data, binary });
      else waiting({ data, binary });
    });
  }

  next(): Promise<{ readonly data: Buffer; readonly binary: boolean }> {
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  async json(): Promise<Record<string, unknown>> {
    const { data, binary } = await this.next();
    expect(binary).toBe(false);
    return JSON.parse(data.toString()) as Record<string, unknown>;
  }
}

async function connect(
  options: Partial<HttpOptions> = {},
  path = '/v2/models/m/stream',
): Promise<{ client: Client; fixture: HttpFixture }> {
  const fixture = await http.start(options);
  const client = new Client(fixture.url.replace('http', 'ws') + path);
  await client.opened;
  return { client, fixture };
}

function request(id: string, values: readonly number[] = [1, 2], more: object = {}): string {
  return JSON.stringify({
    id,
    inputs: [{ name: 'x', shape: [1, values.length], datatype: 'FP32', data: values }],
    ...more,
  });
}

describe('a stream of inferences over WebSocket', () => {
  it('answers many requests in flight by id, in the order they finish', async () => {
    const { client, fixture } = await connect({}, '/v2/models/m/versions/3/stream');
    fixture.inference.hold = true;
    for (const id of ['a', 'b', 'c']) client.socket.send(request(id));
    await fixture.inference.when(() => fixture.inference.held.length === 3);
    const [a, b, c] = [...fixture.inference.held];
    c?.answer();
    a?.fail(new ServingError('QUEUE_FULL', 'full'));
    b?.answer();
    expect(await client.json()).toMatchObject({ id: 'c', model_version: '3', outputs: [{ data: [1, 2] }] });
    expect(await client.json()).toMatchObject({ id: 'a', error: 'full', reason: 'QUEUE_FULL' });
    expect(await client.json()).toMatchObject({ id: 'b' });
    client.socket.close();
  });

  it('answers many requests of one turn, small and large, each with its own values', async () => {
    const { client, fixture } = await connect();
    fixture.inference.hold = true;
    const values = (i: number) => Array.from({ length: i % 10 === 0 ? 5000 : 1 + i * 5 }, () => i);
    for (let i = 0; i < 100; i++) client.socket.send(request(String(i), values(i)));
    await fixture.inference.when(() => fixture.inference.held.length === 100);
    for (const call of [...fixture.inference.held]) call.answer();
    for (let i = 0; i < 100; i++) {
      expect(await client.json()).toMatchObject({ id: String(i), outputs: [{ data: values(i) }] });
    }
    client.socket.close();
  });

  it('tells apart by nothing but their order requests that share an id', async () => {
    const { client, fixture } = await connect();
    fixture.inference.hold = true;
    for (const value of [1, 2, 3]) client.socket.send(request('same', [value]));
    await fixture.inference.when(() => fixture.inference.held.length === 3);
    for (const call of [...fixture.inference.held]) call.answer();
    for (const value of [1, 2, 3])
      expect(await client.json()).toMatchObject({ id: 'same', outputs: [{ data: [value] }] });
    client.socket.close();
  });

  it('answers binary frames with binary frames', async () => {
    const { client } = await connect();
    const data = Buffer.from(Float32Array.from([5, 6]).buffer);
    const json = Buffer.from(
      JSON.stringify({
        id: 'z',
        inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } }],
      }),
    );
    const length = Buffer.alloc(4);
    length.writeUInt32LE(json.length);
    client.socket.send(Buffer.concat([length, json, data]));
    const answer = await client.next();
    expect(answer.binary).toBe(true);
    const jsonBytes = answer.data.readUInt32LE();
    expect(JSON.parse(answer.data.toString('utf8', 4, 4 + jsonBytes))).toMatchObject({ id: 'z' });
    expect(answer.data.subarray(4 + jsonBytes)).toEqual(data);
    client.socket.close();
  });

  it('decodes a large text frame on a pool thread', async () => {
    const { client, fixture } = await connect();
    const values = Array.from({ length: 80_000 }, (_, i) => i + 0.5);
    client.socket.send(request('large', values));
    expect(await client.json()).toMatchObject({ id: 'large', outputs: [{ shape: [1, 80_000] }] });
    expect(fixture.offload.ran).toEqual(['decodeV2Json']);
    client.socket.send(request('other', values, { model_name: 'n' }));
    expect((await client.json()).error).toMatch(/is for model "m", the frame asks for "n"/);
    client.socket.close();
  });

  it('decodes the large JSON of a binary frame on a pool thread, and answers in binary', async () => {
    const { client, fixture } = await connect();
    const values = Array.from({ length: 80_000 }, (_, i) => i + 0.5);
    const frame = (text: string) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Buffer.byteLength(text));
      return Buffer.concat([length, Buffer.from(text)]);
    };
    client.socket.send(frame(request('large', values)));
    const answer = await client.next();
    expect(answer.binary).toBe(true);
    const jsonBytes = answer.data.readUInt32LE();
    expect(JSON.parse(answer.data.toString('utf8', 4, 4 + jsonBytes))).toMatchObject({ id: 'large' });
    expect(answer.data.readFloatLE(4 + jsonBytes + 4 * 79_999)).toBe(79_999.5);
    expect(fixture.offload.ran).toEqual(['decodeV2Json']);
    client.socket.send(frame(request('other', values, { model_name: 'n' })));
    expect(await client.json()).toMatchObject({ id: 'other', error: expect.stringContaining('is for model "m"') });
    const broken = frame(request('broken', values));
    broken.writeUInt32LE(broken.length, 0);
    client.socket.send(broken);
    expect(await client.json()).toMatchObject({ id: 'broken', reason: 'MALFORMED_REQUEST' });
    client.socket.close();
  });

  it('answers what it cannot read with an error, and the next request rightly', async () => {
    const { client } = await connect();
    for (const bad of ['{', '[]', '{"inputs":1}', Buffer.from([1]), Buffer.from([255, 255, 255, 255, 1])]) {
      client.socket.send(bad);
      expect(await client.json()).toMatchObject({ error: expect.any(String), reason: 'MALFORMED_REQUEST' });
    }
    client.socket.send(request('good'));
    expect(await client.json()).toMatchObject({ id: 'good' });
    client.socket.close();
  });

  it('refuses more requests in flight than one connection may have', async () => {
    const { client, fixture } = await connect({ maxStreamRequests: 2 });
    fixture.inference.hold = true;
    for (const id of ['a', 'b', 'c']) client.socket.send(request(id));
    expect(await client.json()).toMatchObject({ id: 'c', reason: 'RATE_LIMITED', status: 429 });
    expect(fixture.inference.held).toHaveLength(2);
    client.socket.close();
  });

  it('cancels what a client asked for when it goes away', async () => {
    const { client, fixture } = await connect();
    fixture.inference.hold = true;
    for (const id of ['a', 'b']) client.socket.send(request(id));
    await fixture.inference.when(() => fixture.inference.held.length === 2);
    client.socket.terminate();
    await fixture.inference.when(() => fixture.inference.cancelled === 2);
  });

  it('closes a connection that sends more than the limit', async () => {
    const { client } = await connect({ maxInputBytes: 1000 });
    client.socket.on('error', () => {});
    client.socket.send('x'.repeat(2000));
    expect(await client.closed).toBe(1006);
  });

  it('has a limit of its own for frames', async () => {
    const { client } = await connect({ maxFrameBytes: 1000 });
    client.socket.on('error', () => {});
    client.socket.send('x'.repeat(2000));
    expect(await client.closed).toBe(1006);
  });

  it('refuses one connection more than the server takes', async () => {
    const { client, fixture } = await connect({ maxStreams: 1 });
    const url = `${fixture.url.replace('http', 'ws')}/v2/models/m/stream`;
    await expect(new Client(url).opened).rejects.toThrow(/503/);
    client.socket.send(request('still'));
    expect(await client.json()).toMatchObject({ id: 'still' });
    client.socket.close();
    await client.closed;
    const next = new Client(url);
    await next.opened;
    next.socket.close();
  });

  it('decodes text on a pool thread from the size that the options say', async () => {
    const { client, fixture } = await connect({ offloadJsonBytes: 100 });
    client.socket.send(request('small', [1]));
    await client.json();
    expect(fixture.offload.ran).toEqual([]);
    client.socket.send(request('large', Array(100).fill(1)));
    expect(await client.json()).toMatchObject({ id: 'large' });
    expect(fixture.offload.ran).toEqual(['decodeV2Json']);
    client.socket.send(request('unknown', Array(100).fill('no number')));
    expect(await client.json()).toMatchObject({ id: 'unknown', status: 400 });
    client.socket.close();
  });

  it('sends what it owes, then closes with 1001 on drain', async () => {
    const { client, fixture } = await connect();
    fixture.inference.hold = true;
    for (const id of ['a', 'c', 'd']) client.socket.send(request(id));
    await fixture.inference.when(() => fixture.inference.held.length === 3);
    const idle = new Client(`${fixture.url.replace('http', 'ws')}/v2/models/m/stream`);
    await idle.opened;
    fixture.server.closeIntake();
    const closed = fixture.server.close();
    expect(await idle.closed).toBe(1001);
    client.socket.send(request('b'));
    expect(await client.json()).toMatchObject({ reason: 'DRAINING' });
    for (const call of [...fixture.inference.held]) call.answer();
    for (const id of ['a', 'c', 'd']) expect(await client.json()).toMatchObject({ id });
    expect(await client.closed).toBe(1001);
    await closed;
  });

  describe('with compression', () => {
    const values = Array(5000).fill(0.5);
    /** Bytes that came over the wire. */
    const cameBytes = ({ socket }: Client) =>
      (socket as unknown as { _socket: { bytesRead: number } })._socket.bytesRead;

    it('is off unless asked for', async () => {
      const { client } = await connect();
      expect(client.socket.extensions).toBe('');
      client.socket.send(request('a', values));
      expect(await client.json()).toMatchObject({ id: 'a' });
      expect(cameBytes(client)).toBeGreaterThan(10_000);
      client.socket.close();
    });

    it('takes and sends compressed frames, small and large, in any number', async () => {
      const { client } = await connect({ streamCompression: true });
      expect(client.socket.extensions).toMatch(/permessage-deflate/);
      for (let i = 0; i < 50; i++) client.socket.send(request(String(i), i % 2 === 0 ? values : [i]));
      for (let i = 0; i < 50; i++) {
        const { id, outputs } = (await client.json()) as { id: string; outputs: { data: number[] }[] };
        expect(outputs[0]?.data).toEqual(Number(id) % 2 === 0 ? values : [Number(id)]);
      }
      expect(cameBytes(client)).toBeLessThan(50_000);
      client.socket.close();
    });

    it('closes where a frame inflates past the limit', async () => {
      const { client, fixture } = await connect({ streamCompression: true, maxFrameBytes: 100_000 });
      const beforeBytes = process.memoryUsage.rss();
      client.socket.send(Buffer.alloc(50_000_000));
      expect(await client.closed).toBe(1006);
      expect(fixture.inference.requests).toEqual([]);
      expect(process.memoryUsage.rss() - beforeBytes).toBeLessThan(100_000_000);
    });
  });

  it('sends the responses of a decoupled model as frames with its id, the last one marked, also where it is empty', async () => {
    const { client, fixture } = await connect();
    fixture.inference.hold = true;
    client.socket.send(request('a'));
    client.socket.send(request('b'));
    await fixture.inference.when(() => fixture.inference.held.length === 2);
    const [a, b] = [...fixture.inference.held];
    let taken = 0;
    a?.part(undefined, () => taken++);
    b?.part();
    a?.part(undefined, () => taken++);
    a?.end();
    b?.fail(new ServingError('BACKEND_FAILED', 'it broke'));
    const frames = [];
    for (let i = 0; i < 5; i++) frames.push(await client.json());
    const isLast = (parameters: unknown) => (parameters as Record<string, unknown>).triton_final_response;
    expect(frames.map(({ id, error, parameters }) => [id, error ?? isLast(parameters)])).toEqual([
      ['a', false],
      ['b', false],
      ['a', false],
      ['a', true],
      ['b', 'it broke'],
    ]);
    expect(frames[0]).toMatchObject({ outputs: [{ name: 'out_x', data: [1, 2] }] });
    expect(frames[3]?.outputs).toEqual([]);
    expect(taken).toBe(2);
    client.socket.close();
  });

  it('lets a decoupled model wait while its client does not read', async () => {
    const { client, fixture } = await connect();
    fixture.inference.hold = true;
    client.socket.send(request('a'));
    await fixture.inference.when(() => fixture.inference.held.length === 1);
    const [a] = [...fixture.inference.held];
    const large = [
      { name: 'y', dataType: 'UINT8' as const, shape: [400_000], data: new Uint8Array(400_000).fill(100) },
    ];
    client.socket.pause();
    let taken = 0;
    let wake = () => {};
    for (let i = 0; i < 30; i++)
      a?.part(large, () => {
        taken++;
        wake();
      });
    expect(taken).toBeLessThan(30);
    const all = new Promise<void>((resolve) => {
      wake = () => taken === 30 && resolve();
    });
    client.socket.resume();
    await all;
    a?.end();
    for (let i = 0; i < 30; i++) await client.next();
    expect(await client.json()).toMatchObject({ id: 'a', parameters: { triton_final_response: true } });
    client.socket.close();
  });

  it('refuses a name that is a path before it upgrades, and a plain GET', async () => {
    const { client, fixture } = await connect();
    const bad = new Client(`${fixture.url.replace('http', 'ws')}/v2/models/%2e%2e%2fx/stream`);
    await expect(bad.opened).rejects.toThrow(/400/);
    expect((await fetch(`${fixture.url}/v2/models/m/stream`)).status).toBe(400);
    client.socket.close();
  });
});
