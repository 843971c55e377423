import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { describe, expect, it } from 'vitest';
import { healthCalls, inferenceCalls, reflectionCalls } from './calls.js';
import { fileDescriptors } from './file-descriptors.js';
import { protoRoot } from './proto-root.js';
import { answerReflection } from './reflection.js';

interface ReflectionAnswer {
  readonly list_services_response: { readonly service: readonly unknown[] };
  readonly file_descriptor_response: { readonly file_descriptor_proto: readonly unknown[] };
  readonly error_response: { readonly error_code: number };
}

function call(name: string) {
  const found = [...inferenceCalls(), ...healthCalls()].find((one) => one.name === name);
  if (found === undefined) throw new Error(`no call ${name}`);
  return found;
}

function message(type: string, object: Record<string, unknown>): Buffer {
  const found = protoRoot().lookupType(type);
  return Buffer.from(found.encode(found.fromObject(object)).finish());
}

function read(type: string, bytes: Uint8Array): Record<string, unknown> {
  const found = protoRoot().lookupType(type);
  return found.toObject(found.decode(bytes), { longs: Number, enums: String });
}

describe('the service tables', () => {
  it('hold all 20 calls of GRPCInferenceService, one of them streaming', () => {
    expect(inferenceCalls().map(({ path }) => path.replace('/inference.GRPCInferenceService/', ''))).toEqual([
      ...[
        'ServerLive',
        'ServerReady',
        'ModelReady',
        'ServerMetadata',
        'ModelMetadata',
        'ModelInfer',
        'ModelStreamInfer',
      ],
      ...['ModelConfig', 'ModelStatistics', 'RepositoryIndex', 'RepositoryModelLoad', 'RepositoryModelUnload'],
      ...['SystemSharedMemoryStatus', 'SystemSharedMemoryRegister', 'SystemSharedMemoryUnregister'],
      ...[
        'CudaSharedMemoryStatus',
        'CudaSharedMemoryRegister',
        'CudaSharedMemoryUnregister',
        'TraceSetting',
        'LogSettings',
      ],
    ]);
    const streaming = inferenceCalls().filter(({ requestStream, responseStream }) => requestStream || responseStream);
    expect(streaming).toMatchObject([{ name: 'ModelStreamInfer', requestStream: true, responseStream: true }]);
    expect(healthCalls()).toMatchObject([
      { path: '/grpc.health.v1.Health/Check', responseStream: false },
      { path: '/grpc.health.v1.Health/Watch', requestStream: false, responseStream: true },
    ]);
    expect(reflectionCalls().map(({ path }) => path)).toEqual([
      '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    ]);
  });

  it('pass the bytes of inference calls through', () => {
    const bytes = Buffer.of(1);
    expect(call('ModelInfer').decode(bytes)).toBe(bytes);
    expect(call('ModelStreamInfer').encode(bytes)).toBe(bytes);
  });
});

describe('control calls', () => {
  it('decode requests with defaults filled in', () => {
    expect(call('ModelMetadata').decode(message('inference.ModelMetadataRequest', { name: 'm' }))).toEqual({
      name: 'm',
      version: '',
    });
    expect(call('RepositoryIndex').decode(Buffer.alloc(0))).toEqual({ repository_name: '', ready: false });
  });

  it('decode load parameters to plain values', () => {
    const bytes = message('inference.RepositoryModelLoadRequest', {
      model_name: 'm',
      parameters: {
        config: { string_param: '{}' },
        'file:1/a.onnx': { bytes_param: Buffer.of(1, 2) },
        b: { bool_param: false },
      },
    });
    const { model_name, parameters } = call('RepositoryModelLoad').decode(bytes) as {
      model_name: string;
      parameters: Record<string, unknown>;
    };
    expect(model_name).toBe('m');
    expect({ ...parameters }).toEqual({ config: '{}', 'file:1/a.onnx': Buffer.of(1, 2), b: false });
  });

  it('refuse bytes that are no message', () => {
    for (const bytes of [Buffer.of(0x0a, 9, 1), Buffer.of(0xff), Buffer.of(0x0b)]) {
      expect(() => call('ModelMetadata').decode(bytes)).toThrow(
        'the message is not a valid inference.ModelMetadataRequest',
      );
    }
    const bare = message('inference.RepositoryModelLoadRequest', { parameters: { a: {} } });
    expect(() => call('RepositoryModelLoad').decode(bare)).toThrow('parameter "a" has no value');
  });

  it('encode what the REST protocol answers with', () => {
    const metadata = {
      name: 'm',
      versions: ['1', '2'],
      platform: 'p',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }],
      outputs: [],
    };
    expect(read('inference.ModelMetadataResponse', call('ModelMetadata').encode(metadata))).toMatchObject({
      name: 'm',
      versions: ['1', '2'],
      inputs: [{ shape: [-1, 3] }],
    });
    const index = [
      { name: 'm', version: '1', state: 'READY' },
      { name: 'n', state: 'UNAVAILABLE', reason: 'broken' },
    ];
    expect(read('inference.RepositoryIndexResponse', call('RepositoryIndex').encode(index))).toEqual({ models: index });
    expect(read('inference.ModelReadyResponse', call('ModelReady').encode({ name: 'm', ready: true }))).toEqual({
      ready: true,
    });
    const duration = { count: 2, ns: 2 ** 53 - 1 };
    const statistics = {
      model_stats: [
        {
          ...{
            name: 'm',
            version: '1',
            last_inference: 1763698155000,
            inference_count: 5,
            execution_count: 4,
            memory_usage: [{ type: 'CPU', id: 0, byte_size: 41_000 }],
          },
          ...{
            inference_stats: { success: duration, queue: duration },
            response_stats: { 0: { success: duration } },
            batch_stats: [{ batch_size: 2, compute_infer: duration }],
          },
        },
      ],
    };
    expect(read('inference.ModelStatisticsResponse', call('ModelStatistics').encode(statistics))).toMatchObject({
      model_stats: [
        {
          last_inference: 1763698155000,
          inference_stats: { success: duration },
          response_stats: { 0: { success: duration } },
          batch_stats: [{ batch_size: 2, compute_infer: duration }],
        },
      ],
    });
    expect(read('grpc.health.v1.HealthCheckResponse', call('Check').encode({ status: 'SERVING' }))).toEqual({
      status: 'SERVING',
    });
  });

  it('encode a model config in the JSON form of Triton', () => {
    const config = {
      ...{ name: 'm', backend: 'onnxruntime', max_batch_size: 8 },
      input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [-1, 3], reshape: { shape: [3] } }],
      instance_group: [{ kind: 'KIND_GPU', count: 2, gpus: [0, 1] }],
      dynamic_batching: {
        preferred_batch_size: [4],
        max_queue_delay_microseconds: 100,
        priority_queue_policy: { 1: { timeout_action: 'DELAY' } },
      },
      version_policy: { specific: { versions: [1, 3] } },
      parameters: { k: { string_value: 'v' } },
    };
    expect(read('inference.ModelConfigResponse', call('ModelConfig').encode(config))).toEqual({ config });
  });
});

describe('server reflection', () => {
  const { FileDescriptorSet } = descriptor as unknown as { FileDescriptorSet: protobuf.Type };

  it('describes every message, enum and service as the proto files have them', () => {
    const set = {
      file: fileDescriptors().map(({ bytes }) =>
        (descriptor as unknown as { FileDescriptorProto: protobuf.Type }).FileDescriptorProto.decode(bytes),
      ),
    };
    const rebuilt = (protobuf.Root as unknown as { fromDescriptor(set: unknown, options: unknown): protobuf.Root })
      .fromDescriptor(FileDescriptorSet.create(set), { keepCase: true })
      .resolveAll();
    const shape = (type: protobuf.Type): unknown => ({
      fields: type.fieldsArray.map((field) => [
        field.name,
        field.id,
        field.resolvedType?.fullName ?? field.type,
        field.repeated,
        field.map,
        field.partOf?.name ?? null,
      ]),
      nested: type.nestedArray
        .filter((one) => !one.name.endsWith('Entry'))
        .map((one) => one.fullName)
        .sort(),
    });
    let compared = 0;
    const walk = (namespace: protobuf.NamespaceBase): void => {
      for (const one of namespace.nestedArray) {
        if (one instanceof protobuf.Type) {
          expect(shape(rebuilt.lookupType(one.fullName)), one.fullName).toEqual(shape(one));
          compared++;
        } else if (one instanceof protobuf.Enum) expect(rebuilt.lookupEnum(one.fullName).values).toEqual(one.values);
        if (one instanceof protobuf.Namespace) walk(one);
      }
    };
    walk(protoRoot());
    expect(compared).toBeGreaterThan(100);
  });

  it("describes ModelStreamInfer as MLServer's proto has it, where the server answers so", () => {
    const { FileDescriptorProto } = descriptor as unknown as { FileDescriptorProto: protobuf.Type };
    const answers = (form: 'triton' | 'mlserver') => {
      const file = fileDescriptors(form).find(({ name }) => name === 'grpc_service.proto');
      const decoded = FileDescriptorProto.decode(file?.bytes as Buffer) as unknown as {
        service: { method: { name: string; outputType: string }[] }[];
      };
      return Object.fromEntries(decoded.service[0]?.method.map(({ name, outputType }) => [name, outputType]) ?? []);
    };
    const { ModelStreamInfer, ...others } = answers('mlserver');
    const { ModelStreamInfer: tritons, ...same } = answers('triton');
    expect([ModelStreamInfer, tritons]).toEqual([
      '.inference.ModelInferResponse',
      '.inference.ModelStreamInferResponse',
    ]);
    expect(others).toEqual(same);
  });

  it('names the imports that the files have, each before what needs it', () => {
    const seen = new Set<string>();
    for (const { name, imports } of fileDescriptors()) {
      const text = readFileSync(new URL(`../../../../protos/${name}`, import.meta.url), 'utf8');
      expect([...text.matchAll(/^import "(.*)";$/gm)].map(([, file]) => file)).toEqual(imports);
      for (const file of imports) expect(seen).toContain(file);
      seen.add(name);
    }
    expect(seen.size).toBe(11);
  });

  it('answers list, file and symbol questions through the wire', () => {
    const [v1] = reflectionCalls();
    const ask = (object: Record<string, unknown>) => {
      const request = v1?.decode(message('grpc.reflection.v1.ServerReflectionRequest', object)) as object;
      return read(
        'grpc.reflection.v1.ServerReflectionResponse',
        v1?.encode(answerReflection(request)) as Buffer,
      ) as unknown as ReflectionAnswer;
    };
    expect(ask({ list_services: '*' })).toMatchObject({ original_request: { list_services: '*' } });
    expect(ask({ list_services: '' }).list_services_response.service).toContainEqual({
      name: 'inference.GRPCInferenceService',
    });
    for (const symbol of [
      'inference.GRPCInferenceService',
      'inference.GRPCInferenceService.ModelInfer',
      'inference.ModelInferRequest.InferInputTensor',
    ]) {
      expect(ask({ file_containing_symbol: symbol }).file_descriptor_response.file_descriptor_proto).toHaveLength(2);
    }
    expect(ask({ file_by_filename: 'health.proto' }).file_descriptor_response.file_descriptor_proto).toHaveLength(1);
    expect(ask({ file_by_filename: '../../etc/passwd' }).error_response).toMatchObject({ error_code: 5 });
    expect(ask({ file_containing_symbol: 'nope' }).error_response).toMatchObject({ error_code: 5 });
    expect(ask({ all_extension_numbers_of_type: 'x' }).error_response).toMatchObject({ error_code: 5 });
    expect(ask({}).error_response).toMatchObject({ error_code: 3 });
  });
});
