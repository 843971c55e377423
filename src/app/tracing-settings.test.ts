import { describe, expect, it } from 'vitest';
import { loadServerConfig } from '../config/index.js';
import { type Environment, tracingSettings } from './tracing-settings.js';

const settings = (tracing: object, env: Environment = {}) =>
  tracingSettings(loadServerConfig({ flags: { tracing } }), env);
const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

describe('whether traces are made', () => {
  it.each([
    ['nobody names an endpoint', {}, {}, false],
    ['the configuration does', { endpoint: 'http://c:4318' }, {}, true],
    ['a variable does', {}, ENDPOINT, true],
    ['the variable of traces does', {}, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c' }, true],
    ['the variable is empty', {}, { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, false],
    ['it is switched on without', { enabled: 'on' }, {}, true],
    ['it is switched off', { enabled: 'off' }, ENDPOINT, false],
    ['all of OpenTelemetry is off', {}, { ...ENDPOINT, OTEL_SDK_DISABLED: 'true' }, false],
    ['there is no exporter', {}, { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }, false],
  ] as const)('where %s', (_, tracing, env, made) => {
    expect(settings(tracing, env) !== undefined).toBe(made);
  });
});

describe('which traces are kept', () => {
  it.each([
    ['nothing', {}, {}, { fraction: 0.01, followParent: true }],
    ['always_on', {}, { OTEL_TRACES_SAMPLER: 'always_on' }, { fraction: 1, followParent: false }],
    ['always_off', {}, { OTEL_TRACES_SAMPLER: 'always_off' }, { fraction: 0, followParent: false }],
    [
      'a ratio',
      {},
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' },
      { fraction: 0.25, followParent: false },
    ],
    [
      'a ratio below a parent',
      {},
      { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' },
      { fraction: 0.25, followParent: true },
    ],
    ['a parent', {}, { OTEL_TRACES_SAMPLER: 'parentbased_always_on' }, { fraction: 1, followParent: true }],
    [
      'the configuration',
      { percent: 5, followParent: false },
      { OTEL_TRACES_SAMPLER: 'parentbased_always_on' },
      { fraction: 0.05, followParent: false },
    ],
  ] as const)('is said by %s', (_, tracing, env, head) => {
    expect(settings(tracing, { ...ENDPOINT, ...env })?.head).toEqual(head);
  });

  it.each([
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
    ['OTEL_TRACES_SAMPLER_ARG', '2'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'http/json'],
  ])('is refused where %s is %s', (name, value) => {
    expect(() => settings({}, { ...ENDPOINT, [name]: value })).toThrow(name);
  });
});

describe('where they go', () => {
  it('is said by variables, and by the configuration before them', () => {
    expect(settings({}, { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })?.exporter).toMatchObject({
      protocol: 'grpc',
      endpoint: undefined,
    });
    const grpc = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    expect(settings({ endpoint: 'http://c:4318', protocol: 'http/protobuf' }, grpc)?.exporter).toMatchObject({
      protocol: 'http/protobuf',
      endpoint: 'http://c:4318',
    });
    expect(
      settings({}, { ...grpc, ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf' })?.exporter.protocol,
    ).toBe('http/protobuf');
  });
});
