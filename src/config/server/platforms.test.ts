import { describe, expect, it } from 'vitest';
import { loadServerConfig } from './load.js';
import { withPlatformEnvironment } from './platforms.js';
import { readServerFlags } from './read-flags.js';

function of(flags: readonly string[], env: Record<string, string> = {}) {
  const { values, origins } = readServerFlags(flags);
  const { sagemaker, vertexAi } = withPlatformEnvironment(loadServerConfig({ flags: values, origins }), env);
  return { sagemaker, vertexAi };
}

const VERTEX = {
  AIP_MODE: 'PREDICTION',
  AIP_HTTP_PORT: '8085',
  AIP_HEALTH_ROUTE: '/health',
  AIP_PREDICT_ROUTE: '/v1/a:predict',
};

describe('cloud platforms', () => {
  it('are not served unless they are asked for', () => {
    const { sagemaker, vertexAi } = of([], { SAGEMAKER_BIND_TO_PORT: '9000', AIP_MODE: 'TRAINING' });
    expect([sagemaker.enabled, vertexAi.enabled]).toEqual([false, false]);
  });

  it('take from the environment what flags do not say', () => {
    const env = {
      SAGEMAKER_BIND_TO_PORT: '9001',
      SAGEMAKER_SAFE_PORT_RANGE: '9000-9100',
      SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: 'digits',
      SAGEMAKER_TRITON_OVERRIDE_PING_MODE: 'live',
    };
    expect(of(['--allow-sagemaker=true'], env).sagemaker).toMatchObject({
      port: 9001,
      defaultModel: 'digits',
      ping: 'live',
    });
    const said = [
      '--allow-sagemaker',
      'true',
      '--sagemaker-port',
      '9002',
      '--sagemaker-default-model',
      'other',
      '--sagemaker-ping',
      'ready',
    ];
    expect(of(said, env).sagemaker).toMatchObject({ port: 9002, defaultModel: 'other', ping: 'ready' });
    expect(of(['--allow-sagemaker']).sagemaker).toMatchObject({
      port: 8080,
      address: '0.0.0.0',
      defaultModel: undefined,
    });
  });

  it('hold several models where the platform or a flag says so', () => {
    const env = { SAGEMAKER_MULTI_MODEL: 'true' };
    expect(of(['--allow-sagemaker'], env).sagemaker).toMatchObject({
      multiModel: true,
      modelsFolder: '/opt/ml/models',
    });
    expect(of(['--allow-sagemaker', '--sagemaker-multi-model=false'], env).sagemaker.multiModel).toBe(false);
    const flags = ['--allow-sagemaker', '--sagemaker-multi-model', '--sagemaker-models-folder', '/models'];
    expect(of(flags).sagemaker).toMatchObject({ multiModel: true, modelsFolder: '/models' });
    expect(of(['--allow-sagemaker'], { SAGEMAKER_MULTI_MODEL: 'false' }).sagemaker.multiModel).toBe(false);
  });

  it('are told by AIP_MODE, unless a flag says otherwise', () => {
    expect(of([], VERTEX).vertexAi).toMatchObject({
      enabled: true,
      port: 8085,
      healthRoute: '/health',
      predictRoute: '/v1/a:predict',
    });
    expect(of(['--allow-vertex-ai=false'], VERTEX).vertexAi.enabled).toBe(false);
    const flags = [
      '--allow-vertex-ai',
      '--vertex-ai-port',
      '8090',
      '--vertex-ai-predict-route',
      '/p',
      '--vertex-ai-default-model',
      'm',
    ];
    expect(of(flags, { AIP_HEALTH_ROUTE: '/h' }).vertexAi).toMatchObject({
      port: 8090,
      predictRoute: '/p',
      healthRoute: '/h',
      defaultModel: 'm',
    });
  });

  it.each<[string, readonly string[], Record<string, string>]>([
    [
      "SAGEMAKER_TRITON_INFERENCE_TYPE is 'generate'",
      ['--allow-sagemaker'],
      { SAGEMAKER_TRITON_INFERENCE_TYPE: 'generate' },
    ],
    ["SAGEMAKER_BIND_TO_PORT is 'x'", ['--allow-sagemaker'], { SAGEMAKER_BIND_TO_PORT: 'x' }],
    [
      "SAGEMAKER_TRITON_OVERRIDE_PING_MODE is 'yes'",
      ['--allow-sagemaker'],
      { SAGEMAKER_TRITON_OVERRIDE_PING_MODE: 'yes' },
    ],
    [
      'sagemaker.port is 8080, outside of the safe port range 9000-9100',
      ['--allow-sagemaker', '--sagemaker-safe-port-range', '9000-9100'],
      {},
    ],
    ["the safe port range is '5-1'", ['--allow-sagemaker', '--sagemaker-safe-port-range', '5-1'], {}],
    ['sagemaker.port is 8000, as that of another listener', ['--allow-sagemaker', '--sagemaker-port', '8000'], {}],
    ['vertexAi.port is 8080, as that of another listener', ['--allow-sagemaker'], { ...VERTEX, AIP_HTTP_PORT: '' }],
    ['vertexAi.healthRoute is not given, and AIP_HEALTH_ROUTE is not set', ['--allow-vertex-ai'], {}],
    ["AIP_PREDICT_ROUTE is 'predict'", [], { ...VERTEX, AIP_PREDICT_ROUTE: 'predict' }],
    ['are both /health', [], { ...VERTEX, AIP_PREDICT_ROUTE: '/health' }],
    ['--sagemaker-port', ['--allow-sagemaker', '--sagemaker-port', '0'], {}],
  ])('refuse: %s', (why, flags, env) => {
    expect(() => of(flags, env)).toThrow(why);
  });
});
