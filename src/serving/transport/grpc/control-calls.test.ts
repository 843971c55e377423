import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type GrpcFixture,
  INFERENCE,
  type Message,
  methodOf,
  startGrpcFixture,
} from '../../../../test/support/grpc-server.js';
import { modelSpec } from '../../../../test/support/specs.js';
import { GRPC_CODE_NUMBERS, ServingError } from '../../../core/index.js';
import { inferenceCalls } from '../../codec/index.js';
import type { ControlPort } from '../ports.js';

let fixture: GrpcFixture;
beforeEach(async () => {
  fixture = await startGrpcFixture({}, [
    modelSpec(),
    modelSpec({ id: { model: 'm', version: 2 } }),
    modelSpec({ id: { model: 'flat', version: 1 }, maxBatchSize: 0 }),
  ]);
  fixture.models.notReady = [{ name: 'broken', version: undefined, state: 'UNAVAILABLE', reason: 'no model file' }];
  fixture.models.configObject = {
    platform: 'onnxruntime_onnx',
    max_batch_size: 4,
    input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [2] }],
    instance_group: [{ name: 'cpu', kind: 'KIND_CPU', count: 2, gpus: [] }],
    dynamic_batching: { preferred_batch_size: [4], max_queue_delay_microseconds: 100 },
    parameters: { intra_op_thread_count: { string_value: '1' } },
  };
});
afterEach(() => fixture.stop());

const code = (name: keyof typeof GRPC_CODE_NUMBERS) => GRPC_CODE_NUMBERS[name];
const rejection = (call: Promise<Message>) =>
  call.then(
    () => undefined,
    (error) => error,
  );

describe('answers are those of REST', () => {
  const table: [string, object, (control: ControlPort) => unknown][] = [
    ['ServerLive', {}, (control) => control.live()],
    ['ServerReady', {}, (control) => control.ready()],
    ['ServerMetadata', {}, (control) => control.serverMetadata()],
    ['ModelReady', { name: 'm' }, () => ({ ready: true })],
    ['ModelReady', { name: 'm', version: '2' }, () => ({ ready: true })],
    ['ModelMetadata', { name: 'm' }, (control) => control.modelMetadata('m', undefined)],
    ['ModelMetadata', { name: 'flat', version: '1' }, (control) => control.modelMetadata('flat', 1)],
    ['ModelConfig', { name: 'm' }, (control) => ({ config: control.modelConfig('m', undefined) })],
    ['ModelStatistics', {}, (control) => control.modelStatistics(undefined, undefined)],
    ['ModelStatistics', { name: 'm', version: '2' }, (control) => control.modelStatistics('m', 2)],
    ['RepositoryIndex', {}, (control) => ({ models: control.repositoryIndex({ ready: false }) })],
    ['RepositoryIndex', { ready: true }, (control) => ({ models: control.repositoryIndex({ ready: true }) })],
    ['RepositoryModelLoad', { model_name: 'm' }, () => ({})],
    ['RepositoryModelUnload', { model_name: 'm' }, () => ({})],
  ];
  it.each(table)('%s %j', async (name, message, rest) => {
    expect(await fixture.client.unary(name, message)).toMatchObject(rest(fixture.control) as object);
  });

  it('says not ready, rather than an error, for a model or version that is not there', async () => {
    expect(await fixture.client.unary('ModelReady', { name: 'other' })).toEqual({ ready: false });
    expect(await fixture.client.unary('ModelReady', { name: 'm', version: '9' })).toEqual({ ready: false });
  });

  it('tells when the server is not ready', async () => {
    fixture.process.ready = false;
    expect(await fixture.client.unary('ServerReady', {})).toEqual({ ready: false });
    expect(await fixture.client.unary('ServerLive', {})).toEqual({ live: true });
  });
});

describe('bad input', () => {
  it.each([
    ['ModelMetadata', { name: 'other' }, 'NOT_FOUND'],
    ['ModelMetadata', { name: 'm', version: '9' }, 'NOT_FOUND'],
    ['ModelMetadata', { name: '' }, 'INVALID_ARGUMENT'],
    ['ModelMetadata', { name: '../m' }, 'INVALID_ARGUMENT'],
    ['ModelMetadata', { name: 'm', version: 'latest' }, 'INVALID_ARGUMENT'],
    ['ModelReady', { name: 'm', version: '-1' }, 'INVALID_ARGUMENT'],
    ['ModelConfig', { name: 'm', version: '01' }, 'INVALID_ARGUMENT'],
    ['ModelStatistics', { version: '1' }, 'INVALID_ARGUMENT'],
    ['RepositoryIndex', { repository_name: 'r' }, 'UNIMPLEMENTED'],
    ['RepositoryModelLoad', { model_name: 'a/b' }, 'INVALID_ARGUMENT'],
    ['RepositoryModelLoad', { model_name: 'm', parameters: { confg: { string_param: '' } } }, 'INVALID_ARGUMENT'],
    ['RepositoryModelLoad', { model_name: 'm', parameters: { config: {} } }, 'INVALID_ARGUMENT'],
    [
      'RepositoryModelLoad',
      { model_name: 'm', parameters: { config: { string_param: '{}' }, 'file:1/../x': { bytes_param: Buffer.of(1) } } },
      'INVALID_ARGUMENT',
    ],
  ] as [string, object, keyof typeof GRPC_CODE_NUMBERS][])('%s %j is %s', async (name, message, expected) => {
    const error = await rejection(fixture.client.unary(name, message));
    expect(error).toMatchObject({ code: code(expected) });
    expect(error?.details).not.toBe('');
    expect(fixture.models.calls).toEqual({ load: [], unload: [] });
  });

  it('in any unary call, bytes that are no message are INVALID_ARGUMENT', async () => {
    const known = [
      'ModelReady',
      'ModelMetadata',
      'ModelConfig',
      'ModelStatistics',
      'RepositoryIndex',
      'RepositoryModelLoad',
      'RepositoryModelUnload',
    ];
    for (const name of known) {
      const error = await rejection(fixture.client.unary(name, {}, { bytes: Buffer.from([0x0a, 0x7f]) }));
      expect([name, error?.code, error?.details]).toEqual([
        name,
        code('INVALID_ARGUMENT'),
        expect.stringMatching(/not a valid inference\./),
      ]);
    }
  });

  it.each([
    ['SystemSharedMemoryRegister', /--allow-client-shm/],
    ['SystemSharedMemoryUnregister', /--allow-client-shm/],
    ['CudaSharedMemoryRegister', /system shared memory/],
  ])('%s is UNIMPLEMENTED and says why', async (name, why) => {
    const error = await rejection(fixture.client.unary(name, { name: 'r', key: '/k', byte_size: 1 }));
    expect(error).toMatchObject({ code: code('UNIMPLEMENTED'), details: expect.stringMatching(why) });
  });

  it('of shared memory there is none where none is taken', async () => {
    expect(await fixture.client.unary('SystemSharedMemoryStatus', {})).toEqual({ regions: {} });
    expect(await fixture.client.unary('CudaSharedMemoryStatus', {})).toEqual({ regions: {} });
    expect(await fixture.client.unary('CudaSharedMemoryUnregister', {})).toEqual({});
  });

  it('no call of the service is left without an answer', async () => {
    for (const { name, requestStream } of inferenceCalls()) {
      if (requestStream) continue;
      const error = await rejection(fixture.client.unary(name, {}));
      expect([name, String(error?.details ?? '')]).toEqual([
        name,
        expect.not.stringMatching(/does not implement the method|Unknown/),
      ]);
      expect(methodOf(INFERENCE, name)).toBeDefined();
    }
  });
});

describe('load and unload', () => {
  it('hand over config and the bytes of files', async () => {
    const parameters = { config: { string_param: '{}' }, 'file:2/model.onnx': { bytes_param: Buffer.of(1, 2) } };
    await fixture.client.unary('RepositoryModelLoad', { model_name: 'm', parameters });
    await fixture.client.unary('RepositoryModelUnload', {
      model_name: 'm',
      parameters: { unload_dependents: { bool_param: true } },
    });
    const [[model, loaded]] = fixture.models.calls.load as [
      [string, { config: string; files: Map<string, Uint8Array> }],
    ];
    expect([model, loaded.config, [...(loaded.files.get('2/model.onnx') ?? [])]]).toEqual(['m', '{}', [1, 2]]);
    expect(fixture.models.calls.unload).toEqual([['m', true]]);
  });

  it('pass on why the repository refused', async () => {
    fixture.models.failure = new ServingError('UNSUPPORTED', 'load needs --model-control-mode explicit');
    const error = await rejection(fixture.client.unary('RepositoryModelLoad', { model_name: 'm' }));
    expect(error).toMatchObject({ code: code('UNIMPLEMENTED'), details: 'load needs --model-control-mode explicit' });
  });

  it.each([
    ['from this machine', {}, undefined],
    ['from this machine with the token', { authorization: 'Bearer secret' }, undefined],
    ['with a wrong token', { authorization: 'Bearer wrong' }, 'PERMISSION_DENIED'],
    ['with another scheme', { authorization: 'Basic secret' }, 'PERMISSION_DENIED'],
    ['through a proxy without a token', { 'x-forwarded-for': '10.0.0.9' }, 'UNAUTHENTICATED'],
    ['through a proxy that says "for itself"', { forwarded: 'for=127.0.0.1' }, 'UNAUTHENTICATED'],
    ['through a proxy with the token', { 'x-forwarded-for': '10.0.0.9', authorization: 'bearer secret' }, undefined],
  ] as [string, Record<string, string>, keyof typeof GRPC_CODE_NUMBERS | undefined][])(
    '%s',
    async (_, metadata, refused) => {
      for (const name of ['RepositoryModelLoad', 'RepositoryModelUnload']) {
        const error = await rejection(fixture.client.unary(name, { model_name: 'm' }, { metadata }));
        expect(error?.code).toBe(refused === undefined ? undefined : code(refused));
      }
      expect(fixture.models.calls.load.length + fixture.models.calls.unload.length).toBe(refused === undefined ? 2 : 0);
    },
  );
});
