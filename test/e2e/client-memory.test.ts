import { readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient } from '../support/grpc-server.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

// Where shm_open has its files: what any client makes, Python's included, is one of these.
const KEYS = ['in', 'out', 'gone', 'link'].map((name) => `penstock-test-${process.pid}-${name}`);
const [IN, OUT, GONE, LINK] = KEYS as [string, string, string, string];
const fileOf = (key: string) => `/dev/shm/${key}`;
const ROW = Float32Array.of(1, 2, 3, 4.5);

let gateway: RunningGateway;
let grpc: GrpcClient;

beforeAll(async () => {
  writeFileSync(fileOf(IN), Buffer.concat([Buffer.alloc(64), Buffer.from(ROW.buffer)]));
  writeFileSync(fileOf(OUT), Buffer.alloc(256));
  const models = repositoryOf({ steady: 'identity_fixed', words: 'identity_bytes' });
  gateway = await RunningGateway.start(models, ['--allow-client-shm=true', '--http-max-input-size=4096']);
  grpc = new GrpcClient(gateway.grpcPort);
});

afterAll(async () => {
  grpc?.close();
  for (const key of KEYS) rmSync(fileOf(key), { force: true });
  expect(await gateway?.stop()).toBe(0);
});

const SYSTEM = '/v2/systemsharedmemory';
const register = (name: string, key: string, bytes: number, offset = 0, headers = {}) =>
  gateway.post(`${SYSTEM}/region/${name}/register`, { key: `/${key}`, offset, byte_size: bytes }, headers);
const regions = async () => (await gateway.call(`${SYSTEM}/status`)).json();
const placed = (region: string, bytes: number, offset = 0) => ({
  shared_memory_region: region,
  shared_memory_byte_size: bytes,
  ...(offset === 0 ? {} : { shared_memory_offset: offset }),
});
const input = (parameters: object) => ({ name: 'INPUT0', datatype: 'FP32', shape: [1, 4], parameters });
const infer = (inputs: object[], outputs?: object[]) =>
  gateway.post('/v2/models/steady/infer', { inputs, ...(outputs === undefined ? {} : { outputs }) });
const floatsAt = (key: string, at: number) => {
  const bytes = readFileSync(fileOf(key));
  return [0, 4, 8, 12].map((place) => bytes.readFloatLE(at + place));
};

describe('shared memory of clients', () => {
  it('is registered, listed and taken back, over HTTP and gRPC', async () => {
    expect((await gateway.call('/v2')).json().extensions).toContain('system_shared_memory');
    expect((await register('in', IN, 16, 64)).status).toBe(200);
    await grpc.unary('SystemSharedMemoryRegister', { name: 'out', key: OUT, byte_size: 256 });
    const all = [
      { name: 'in', key: `/${IN}`, offset: 64, byte_size: 16 },
      { name: 'out', key: OUT, offset: 0, byte_size: 256 },
    ];
    expect(await regions()).toEqual(all);
    expect((await gateway.call(`${SYSTEM}/region/out/status`)).json()).toEqual([all[1]]);
    expect((await gateway.call(`${SYSTEM}/region/none/status`)).status).toBe(404);
    expect((await grpc.unary('SystemSharedMemoryStatus', { name: 'in' })).regions.in).toEqual(all[0]);
    expect((await register('in', IN, 16)).status).toBe(409);
    expect((await gateway.post(`${SYSTEM}/region/in/unregister`)).status).toBe(200);
    expect(await regions()).toEqual([all[1]]);
    await grpc.unary('SystemSharedMemoryUnregister', {});
    expect(await regions()).toEqual([]);
  });

  it.each([
    ['a key that leads elsewhere', { key: '/../../etc/passwd', byte_size: 4 }, /without further slashes/],
    ['nothing', { key: '/penstock-nothing', byte_size: 4 }, /ENOENT/],
    ['a link', { key: LINK, byte_size: 4 }, /ELOOP/],
    ['more than there is', { key: OUT, offset: 250, byte_size: 7 }, /invalid args/],
    ['no bytes', { key: OUT, byte_size: 0 }, /invalid args/],
    ['no key', { byte_size: 4 }, /no 'key'/],
    ['no size', { key: OUT }, /no 'byte_size'/],
    ['a size that is none', { key: OUT, byte_size: '4' }, /byte_size.*expected an integer/],
  ])('%s is not registered', async (_, body, why) => {
    if ('key' in body && body.key === LINK) symlinkSync('/etc/passwd', fileOf(LINK));
    const answer = await gateway.post(`${SYSTEM}/region/bad/register`, body);
    expect([answer.status, answer.json().error]).toEqual([400, expect.stringMatching(why)]);
    expect(await regions()).toEqual([]);
  });

  it('asks who is not on this machine for a token', async () => {
    expect((await register('in', IN, 16, 0, { 'x-forwarded-for': '10.0.0.7' })).status).toBe(401);
  });

  it('has inputs and outputs, over HTTP and gRPC, unary and streamed', async () => {
    expect((await register('in', IN, 80)).status).toBe(200);
    expect((await register('out', OUT, 256)).status).toBe(200);
    // Each on a connection of its own, so perhaps on another thread than that which registered.
    for (let at = 0; at < 128; at += 16) {
      const answer = await infer(
        [input(placed('in', 16, 64))],
        [{ name: 'OUTPUT0', parameters: placed('out', 128, at) }],
      );
      expect(answer.status).toBe(200);
      // Without parameters: Triton's C++ client takes those of an output to be about binary data.
      expect(answer.json().outputs).toEqual([{ name: 'OUTPUT0', datatype: 'FP32', shape: [1, 4] }]);
      expect(floatsAt(OUT, at)).toEqual([...ROW]);
    }
    const mixed = await infer([input(placed('in', 16, 64))]);
    expect(mixed.json().outputs[0].data).toEqual([...ROW]);
    const of = (region: string, bytes: number, offset: number) => ({
      shared_memory_region: { string_param: region },
      shared_memory_byte_size: { int64_param: bytes },
      shared_memory_offset: { int64_param: offset },
    });
    const message = {
      model_name: 'steady',
      inputs: [{ ...input({}), parameters: of('in', 16, 64) }],
      outputs: [{ name: 'OUTPUT0', parameters: of('out', 64, 192) }],
    };
    const answer = await grpc.unary('ModelInfer', message);
    expect(answer.raw_output_contents.map((bytes: Buffer) => bytes.length)).toEqual([0]);
    expect(answer.outputs[0].parameters.shared_memory_byte_size.int64_param).toBe(16);
    expect(floatsAt(OUT, 192)).toEqual([...ROW]);
    const stream = grpc.bidi('ModelStreamInfer');
    stream.send(message, { ...message, outputs: [] }).half();
    await stream.ended;
    expect(stream.messages.map(({ infer_response: { raw_output_contents } }) => raw_output_contents[0].length)).toEqual(
      [0, 16],
    );
  });

  it.each([
    ['a region that is not there', placed('none', 16), /Unable to find shared memory region: 'none'/],
    ['more than the region has', placed('in', 17, 64), /Invalid offset \+ byte size/],
    ['another size than the tensor', placed('in', 12, 64), /takes 16 bytes, came 12/],
    ['no size', { shared_memory_region: 'in' }, /no shared_memory_byte_size/],
    ['no region', { shared_memory_byte_size: 16 }, /no shared_memory_region/],
    ['a region that is a number', { shared_memory_region: 7 }, /shared_memory_region/],
    ['data beside', { ...placed('in', 16, 64), binary_data_size: 16 }, /beside a region|binary/],
    ['a name that is no parameter', { shared_memory_colour: 'red' }, /shared_memory_colour/],
  ])('%s refuses the request', async (_, parameters, why) => {
    const answer = await infer([input(parameters)]);
    expect([answer.status, answer.json().error]).toEqual([400, expect.stringMatching(why)]);
  });

  it('that is too small for an output, or for what a body may have, refuses the request', async () => {
    const small = await infer([input(placed('in', 16, 64))], [{ name: 'OUTPUT0', parameters: placed('out', 15) }]);
    expect([small.status, small.json().error]).toEqual([400, expect.stringMatching(/\(15 bytes\).*at least 16 bytes/)]);
    writeFileSync(fileOf(GONE), Buffer.alloc(8192));
    expect((await register('large', GONE, 8192)).status).toBe(200);
    const large = { name: 'INPUT0', datatype: 'FP32', shape: [1, 2048], parameters: placed('large', 8192) };
    expect((await infer([large])).status).toBe(413);
  });

  it('that is cut off or replaced under it is noticed, and harms nobody', async () => {
    truncateSync(fileOf(IN), 70);
    const cut = await infer([input(placed('in', 16, 64))]);
    expect([cut.status, cut.json().error]).toEqual([400, expect.stringMatching(/shorter than it was/)]);
    truncateSync(fileOf(OUT), 0);
    const body = { ...input({}), parameters: undefined, data: [...ROW] };
    const lost = await infer([body], [{ name: 'OUTPUT0', parameters: placed('out', 16) }]);
    expect([lost.status, lost.json().error]).toEqual([400, expect.stringMatching(/shorter than it was/)]);
    expect(readFileSync(fileOf(OUT))).toHaveLength(0);
    expect((await infer([body])).status).toBe(200);
    const error = await grpc
      .unary('ModelInfer', {
        model_name: 'steady',
        inputs: [{ ...input({}), parameters: { shared_memory_region: { string_param: 'in' } } }],
      })
      .catch((thrown: ServiceError) => thrown);
    expect(error).toMatchObject({ code: 3 });
  });

  it('of CUDA is not taken, and there is none to take back', async () => {
    const cuda = '/v2/cudasharedmemory';
    const asked = { raw_handle: { b64: '' }, device_id: 0, byte_size: 4 };
    expect((await gateway.post(`${cuda}/region/g/register`, asked)).status).toBe(501);
    expect((await gateway.call(`${cuda}/status`)).json()).toEqual([]);
    expect((await gateway.post(`${cuda}/unregister`)).status).toBe(200);
  });
});
