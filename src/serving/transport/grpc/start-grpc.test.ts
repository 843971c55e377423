import { status } from '@grpc/grpc-js';
import type protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  GrpcClient,
  type GrpcFixture,
  HEALTH,
  INFERENCE,
  inferMessage,
  methodOf,
  startGrpcFixture,
} from '../../../../test/support/grpc-server.js';
import { RawGrpc } from '../../../../test/support/raw-grpc.js';
import { callHeaders, FRAME, http2Frame, RawHttp2 } from '../../../../test/support/raw-http2.js';
import { frameOf } from './framing/frame.js';

let fixture: GrpcFixture;
beforeEach(async () => {
  fixture = await startGrpcFixture();
});
afterEach(() => fixture.stop());

const check = (service: string) => fixture.client.unary('Check', { service }, { service: HEALTH });

describe('health', () => {
  it('of the server and of its service follows readiness', async () => {
    for (const service of ['', INFERENCE]) expect(await check(service)).toEqual({ status: 'SERVING' });
    fixture.process.ready = false;
    for (const service of ['', INFERENCE]) expect(await check(service)).toEqual({ status: 'NOT_SERVING' });
    await expect(check('other.Service')).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(
      fixture.client.unary('Check', {}, { service: HEALTH, bytes: Buffer.from([0x0a, 0x7f]) }),
    ).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });

  it('is told to watchers at once and on every change, and not when nothing changed', async () => {
    const watch = fixture.client.watch(INFERENCE);
    await watch.count(1);
    fixture.server.refreshHealth();
    fixture.process.ready = false;
    fixture.server.refreshHealth();
    await watch.count(2);
    fixture.server.refreshHealth();
    fixture.process.ready = true;
    fixture.server.refreshHealth();
    await watch.count(3);
    expect(watch.messages.map((m) => m.status)).toEqual(['SERVING', 'NOT_SERVING', 'SERVING']);
    watch.call.cancel();
    await watch.ended;
  });

  it('of an unknown service is SERVICE_UNKNOWN to a watcher, who may go on watching', async () => {
    const watch = fixture.client.watch('other.Service');
    await watch.count(1);
    expect(watch.messages).toEqual([{ status: 'SERVICE_UNKNOWN' }]);
    watch.call.cancel();
    await watch.ended;
  });

  it('lets in a bounded number of watchers, and others when some have left', async () => {
    await fixture.stop();
    fixture = await startGrpcFixture({ maxWatchers: 1 });
    const first = fixture.client.watch('');
    await first.count(1);
    expect(await fixture.client.watch('').ended).toMatchObject({ code: status.UNAVAILABLE });
    first.call.cancel();
    await first.ended;
    // Another call behind the cancellation on the same connection: when it is answered, the server has seen both.
    await check('');
    const second = fixture.client.watch('');
    await second.count(1);
    second.call.cancel();
    await second.ended;
  });
});

describe('reflection', () => {
  const { FileDescriptorProto } = descriptor as unknown as { FileDescriptorProto: protobuf.Type };
  const fileNames = (answer: Record<string, { file_descriptor_proto: Uint8Array[] }>) =>
    answer.file_descriptor_response?.file_descriptor_proto.map(
      (bytes) => FileDescriptorProto.toObject(FileDescriptorProto.decode(bytes)).name,
    );

  it.each(['v1', 'v1alpha'])('%s lists the services and their files', async (version) => {
    const stream = fixture.client
      .bidi('ServerReflectionInfo', { service: `grpc.reflection.${version}.ServerReflection` })
      .send(
        { list_services: '' },
        { file_containing_symbol: `${INFERENCE}.ModelInfer` },
        { file_by_filename: 'health.proto' },
      )
      .send({ file_containing_symbol: 'no.Such' }, { all_extension_numbers_of_type: 'inference.ModelConfig' }, {})
      .half();
    expect(await stream.ended).toBeUndefined();
    const [list, byMethod, byName, unknown, extensions, empty] = stream.messages as [
      never,
      never,
      never,
      never,
      never,
      never,
    ];
    const services = (list as Record<string, { service: { name: string }[] }>).list_services_response?.service.map(
      ({ name }) => name,
    );
    expect(services).toEqual(
      expect.arrayContaining([
        INFERENCE,
        HEALTH,
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
      ]),
    );
    expect(fileNames(byMethod)).toEqual(expect.arrayContaining(['grpc_service.proto', 'model_config.proto']));
    expect(fileNames(byName)).toEqual(['health.proto']);
    expect(unknown).toMatchObject({ error_response: { error_code: status.NOT_FOUND } });
    expect(extensions).toMatchObject({ error_response: { error_code: status.NOT_FOUND } });
    expect(empty).toMatchObject({ error_response: { error_code: status.INVALID_ARGUMENT } });
  });

  it('refuses bytes that are no message', async () => {
    const stream = fixture.client
      .bidi('ServerReflectionInfo', { service: 'grpc.reflection.v1.ServerReflection' })
      .send(Buffer.from([0x0a, 0x7f]));
    expect(await stream.ended).toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});

describe('draining', () => {
  it('answers what is in flight, unary and streamed, tells watchers, and refuses new connections', async () => {
    fixture.inference.hold = true;
    const watch = fixture.client.watch('');
    await watch.count(1);
    const unary = fixture.client.unary('ModelInfer', inferMessage());
    const stream = fixture.client.bidi('ModelStreamInfer').send(inferMessage({ id: 'a' }), inferMessage({ id: 'b' }));
    await fixture.inference.when(() => fixture.inference.held.length === 3);

    fixture.server.closeIntake();
    const closed = fixture.server.close();
    await watch.count(2);
    expect(watch.messages.map((m) => m.status)).toEqual(['SERVING', 'NOT_SERVING']);

    for (const call of [...fixture.inference.held]) call.answer();
    expect(await unary).toMatchObject({ id: '7' });
    expect(await stream.ended).toMatchObject({ code: status.UNAVAILABLE });
    expect(stream.messages.map((m) => m.infer_response.id)).toEqual(['a', 'b']);
    expect(await watch.ended).toMatchObject({ code: status.UNAVAILABLE });
    await closed;

    const late = new GrpcClient(fixture.server.port);
    await expect(late.unary('ServerLive', {}, { deadlineMs: 5000 })).rejects.toMatchObject({
      code: status.UNAVAILABLE,
    });
    late.close();
  });

  it('ends a stream that is idle, and one whose client has half-closed with OK', async () => {
    fixture.inference.hold = true;
    const idle = fixture.client.bidi('ModelStreamInfer');
    const done = fixture.client.bidi('ModelStreamInfer').send(inferMessage()).half();
    await fixture.inference.when(() => fixture.inference.held.length === 1);
    idle.send(inferMessage({ id: 'first' }));
    await fixture.inference.when(() => fixture.inference.held.length === 2);
    fixture.inference.held.find((call) => call.request.id === 'first')?.answer();
    await idle.count(1);

    fixture.server.closeIntake();
    expect(await idle.ended).toMatchObject({ code: status.UNAVAILABLE });
    fixture.inference.held[0]?.answer();
    expect(await done.ended).toBeUndefined();
    await fixture.server.close();
  });

  it('is idempotent, and quick when nothing is in flight', async () => {
    await check('');
    fixture.server.closeIntake();
    fixture.server.closeIntake();
    await Promise.all([fixture.server.close(), fixture.server.close()]);
    await fixture.server.close();
  });

  it('cuts a client that does not read its answer, after the time for that', async () => {
    await fixture.stop();
    fixture = await startGrpcFixture({ closeTimeoutMs: 50 });
    const { path, requestSerialize } = methodOf(INFERENCE, 'ModelInfer');
    const raw = new RawGrpc(fixture.server.port);
    const inputs = [{ name: 'x', datatype: 'UINT8', shape: [1 << 20] }];
    const bytes = requestSerialize(inferMessage({ inputs, raw_input_contents: [Buffer.alloc(1 << 20)] }));
    const answer = raw.call(path, bytes, { unread: true });
    await fixture.inference.when(() => fixture.inference.requests.length === 1);
    await fixture.server.close();
    expect(fixture.log.lines.map(({ level }) => level)).toEqual(['warn']);
    raw.destroy();
    await answer;
  });
});

describe('listening', () => {
  it('says which port and why where it cannot bind, and how to choose another', async () => {
    const { port } = fixture.server;
    await expect(startGrpcFixture({ port })).rejects.toMatchObject({
      reason: 'CONFLICT',
      message: expect.stringMatching(
        new RegExp(`127\\.0\\.0\\.1 port ${port}: another process has the port.*--grpc-port`),
      ),
    });
    await expect(startGrpcFixture({ address: '192.0.2.1' })).rejects.toMatchObject({ reason: 'CONFLICT' });
  });

  it('binds an IPv6 address', async () => {
    const six = await startGrpcFixture({ address: '::1' });
    const client = new GrpcClient(six.server.port, {}, '[::1]');
    expect(await client.unary('ServerLive', {})).toEqual({ live: true });
    expect(await client.unary('RepositoryModelUnload', { model_name: 'm' })).toEqual({});
    client.close();
    await six.stop();
  });

  it('opens wide windows, so that a large request is sent in one go', async () => {
    const raw = new RawGrpc(fixture.server.port);
    const { path } = methodOf(INFERENCE, 'ServerLive');
    expect((await raw.call(path, Buffer.alloc(0))).status).toBe(0);
    expect(raw.session.remoteSettings.initialWindowSize).toBe(1 << 20);
    expect(raw.session.state.remoteWindowSize).toBeGreaterThan(1000 << 10);
    expect(raw.session.remoteSettings.maxConcurrentStreams).toBe(1024);
    expect(raw.session.remoteSettings.maxFrameSize).toBe(256 * 1024);
    raw.destroy();
  });

  it('takes a large tensor that comes in one frame', async () => {
    const infer = methodOf(INFERENCE, 'ModelInfer');
    const data = Float32Array.from({ length: 60_000 }, (_, i) => i);
    const message = infer.requestSerialize(
      inferMessage({
        inputs: [{ name: 'x', datatype: 'FP32', shape: [1, data.length] }],
        raw_input_contents: [Buffer.from(data.buffer)],
      }),
    );
    const raw = new RawHttp2(fixture.server.port);
    const [ACK, END_HEADERS] = [1, 4];
    // A server holds a client to its settings from when they are acknowledged.
    const acknowledged = http2Frame(FRAME.settings, ACK, 0);
    const headers = Buffer.concat([callHeaders(infer.path), Buffer.from('\0\x04host\x01x')]);
    const call = http2Frame(FRAME.headers, END_HEADERS, 1, headers);
    await raw.flood({
      first: Buffer.concat([acknowledged, call]),
      next: () => http2Frame(FRAME.data, 0, 1, frameOf(message)),
      maxBytes: 1,
    });
    await fixture.inference.when(() => fixture.inference.requests.length === 1);
    expect(Buffer.from(data.buffer).equals(fixture.inference.requests[0]?.inputs[0]?.data as Uint8Array)).toBe(true);
    raw.destroy();
  });
});
