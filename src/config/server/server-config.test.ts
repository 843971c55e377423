import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schemaAt } from '../schema-walk.js';
import { FLAGS } from './flags.js';
import { loadServerConfig } from './load.js';
import { readServerFlags } from './read-flags.js';
import { serverConfigSchema } from './schema.js';
import { UNSERVED_TRITON_FLAGS } from './triton-flags.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const load = (args: readonly string[], file?: string) => {
  const { values, origins } = readServerFlags(args);
  return loadServerConfig({ flags: values, origins, file });
};
const yaml = (text: string) => {
  const file = join(folder, 'penstock.yaml');
  writeFileSync(file, text);
  return file;
};

describe('server configuration', () => {
  it("has Triton's ports and time-outs, on loopback, by default", () => {
    const config = loadServerConfig();
    expect(config.http).toMatchObject({ address: '127.0.0.1', port: 8000, maxInputBytes: 64 * 1024 * 1024 });
    expect(config.grpc).toMatchObject({ address: '127.0.0.1', port: 8001 });
    expect(config.metrics).toMatchObject({ address: '127.0.0.1', port: 8002 });
    expect(config).toMatchObject({
      exitTimeoutSecs: 30,
      strictReadiness: true,
      modelControlMode: 'none',
      jsonNan: false,
    });
  });

  it('lets flags win over the file and the file over defaults', () => {
    const file = yaml('http:\n  port: 9000\n  address: 0.0.0.0\nloadModels: [a]\nmodelControlMode: explicit\n');
    const config = load(['--http-port=9100', '--load-model', 'b', '--load-model=c'], file);
    expect(config.http).toMatchObject({ port: 9100, address: '0.0.0.0' });
    expect(config.loadModels).toEqual(['b', 'c']);
    expect(config.modelControlMode).toBe('explicit');
  });

  it('takes relative paths of a file from its folder', () => {
    expect(load([], yaml('repositories: [models, /abs]\n')).repositories).toEqual([join(folder, 'models'), '/abs']);
    expect(load([], yaml('cache:\n  folder: compiled\n')).cache.folder).toBe(join(folder, 'compiled'));
  });

  it.each([
    ['http:\n  prot: 1\n', /penstock\.yaml:2: http\.prot: unknown field 'prot', did you mean 'port'\?/],
    ['jsonNaN: yes please\n', /penstock\.yaml:1: jsonNaN: unknown field 'jsonNaN', did you mean 'jsonNan'\?/],
    [
      'modelControlMode: explict\n',
      /:1: modelControlMode: expected one of none, explicit, poll, got 'explict', did you mean 'explicit'\?/,
    ],
    [
      'http:\n  port: eighty\n',
      /:2: http\.port: expected int, got 'eighty'|:2: http\.port: expected number, got 'eighty'/,
    ],
    ['http: [\n', /penstock\.yaml:\d+: /],
    ['- a\n', /expected a map/],
  ])('says where the file is wrong: %j', (text, message) => {
    expect(() => load([], yaml(text))).toThrow(message);
  });

  it('refuses two listeners on one address and port, and lets a switched-off one keep it', () => {
    expect(() => load(['--grpc-port', '8000'])).toThrow(/grpc\.port and http\.port are both 8000/);
    expect(load(['--grpc-port', '8000', '--allow-http=false']).grpc.port).toBe(8000);
  });

  it('is frozen all the way down', () => {
    const config = loadServerConfig();
    expect(Object.isFrozen(config) && Object.isFrozen(config.http.websocket)).toBe(true);
  });
});

describe('flags', () => {
  it.each(FLAGS.filter((flag) => flag.path !== undefined).map((flag) => [flag.name, flag] as const))(
    '--%s names a place of the schema',
    (_, flag) => {
      expect(schemaAt(serverConfigSchema, flag.path!)).toBeDefined();
    },
  );

  it('are unique, and none of those that are served stands among the unserved', () => {
    const names = FLAGS.flatMap((flag) => [flag.name, ...flag.aliases]);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name in UNSERVED_TRITON_FLAGS)).toEqual([]);
  });

  it.each([
    [['--strict-readiness'], true],
    [['--strict-readiness', 'false'], false],
    [['--strict-readiness=0'], false],
    [['--strict-readiness=1'], true],
    [['--strict-readiness', './models'], true],
  ])('reads booleans as Triton writes them: %j', (args, expected) => {
    expect(load(args).strictReadiness).toBe(expected);
  });

  it('keeps the word after a boolean that is none as an operand', () => {
    expect(readServerFlags(['--strict-readiness', './models', '--json-nan', 'b']).operands).toEqual(['./models', 'b']);
  });

  it('collects repositories under both of their names, and backend parameters', () => {
    const config = load(['--model-repository=a', '--model-store', 'b', '--backend-config', 'onnxruntime,x=1=2']);
    expect(config.repositories).toEqual(['a', 'b']);
    expect(config.backends).toEqual({ onnxruntime: { x: '1=2' } });
  });

  it('takes the size of the response cache in both of the forms that Triton has', () => {
    for (const flag of ['--cache-config=local,size=5', '--response-cache-byte-size=5'])
      expect(load([flag]).responseCache).toEqual({ maxBytes: 5 });
    expect(load([]).responseCache).toEqual({ maxBytes: 0 });
  });

  it('takes the metrics that Triton chooses by --metrics-config', () => {
    const { counterLatencies, histogramLatencies, port } = load([
      '--metrics-port=9',
      '--metrics-config=counter_latencies=false',
      '--metrics-config',
      'histogram_latencies=false',
      '--metrics-config=summary_latencies=false',
    ]).metrics;
    expect([counterLatencies, histogramLatencies, port]).toEqual([false, false, 9]);
  });

  it("takes Triton's older names of settings", () => {
    expect(load(['--strict-model-config=true']).autoCompleteConfig).toBe(false);
    expect(load(['--trace-level', 'TENSORS', '--trace-level=TIMESTAMPS', '--trace-file=f']).timelines).toMatchObject({
      level: ['TENSORS', 'TIMESTAMPS'],
      file: 'f',
    });
  });

  it('switches the completion of configs off by a flag without value', () => {
    expect(load(['--disable-auto-complete-config']).autoCompleteConfig).toBe(false);
  });

  it.each([
    [['--http-prot', '1'], /unknown flag '--http-prot', did you mean '--http-port'\?/],
    [['--modelrepository=x'], /did you mean '--model-repository'\?/],
    [['-p', '1'], /unknown flag '-p'/],
    [['--zzzzzz'], /unknown flag '--zzzzzz' \(penstock serve --help/],
    [['--http-port', 'x'], /--http-port expects a whole number, got 'x'/],
    [['--http-port'], /--http-port expects a value/],
    [['--http-port=70000'], /--http-port: /],
    [['--http-port=1', '--http-port=2'], /--http-port is given twice/],
    [['--allow-http=maybe'], /--allow-http expects true or false, got 'maybe'/],
    [['--backend-config', 'nonsense'], /expects BACKEND,KEY=VALUE/],
    [['--cache-config=redis,host=a'], /--cache-config expects local,size=BYTES/],
    [['--cache-config=local,size=1', '--response-cache-byte-size=2'], /--response-cache-byte-size is given twice/],
    [['--grpc-use-ssl=true'], /grpc\.tls: TLS needs certFile and keyFile/],
    [['--model-namespacing=true'], /--model-namespacing is not supported: models of two repositories/],
    [['--metrics-config', 'summary_latencies=true'], /--metrics-config summary_latencies=true: there are no summaries/],
    [['--metrics-config=summary_quantiles=0.5:0.05'], /there are no summaries/],
    [
      ['--metrics-config=counter_latencies=maybe'],
      /expects counter_latencies or histogram_latencies, with =true or =f/,
    ],
    [['--metrics-config=x,counter_latencies=true'], /--metrics-config expects/],
    [['--metrics-config=counter_latencies=true', '--metrics-config=counter_latencies=false'], /is given twice/],
    [['--trace-level=SOME'], /--trace-level: expected one of TIMESTAMPS, TENSORS/],
    [['--http-header-forward-pattern=('], /--http-header-forward-pattern: /],
    [['--offload-threads=0'], /--offload-threads: expected 1 at least: compressed bodies, large JSON and tokenizers/],
    [['--cors-allow-origin=app.example'], /--cors-allow-origin: 'app\.example' is no origin: expected SCHEME:/],
    [['--cors-allow-origin=https://*.example'], /'https:\/\/\*\.example' is no origin/],
    [['--http-tls-cert-file=a.pem'], /http\.tls: TLS needs certFile and keyFile/],
  ])('refuses %j', (args, message) => {
    expect(() => load(args)).toThrow(message);
  });

  it('warns of a flag of Triton that changes no answer, and passes over its value', () => {
    const { warnings, operands } = readServerFlags([
      '--http-thread-count',
      '8',
      'models',
      '--pinned-memory-pool-byte-size=1',
    ]);
    expect(warnings).toHaveLength(2);
    expect(operands).toEqual(['models']);
  });

  it('takes every word after -- as an operand', () => {
    expect(readServerFlags(['--', '--http-port']).operands).toEqual(['--http-port']);
  });
});
