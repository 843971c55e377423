import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FLAGS, type ServerConfig } from '../config/index.js';
import { type IndexEntry, ServingError } from '../core/index.js';
import { readNpy, writeNpy } from '../elements/index.js';
import type { CliIo, RunningServer } from './io.js';
import { runCli } from './run-cli.js';

const READY: IndexEntry = { name: 'digits', version: 1, state: 'READY', reason: '' };
const BROKEN: IndexEntry = { name: 'broken', version: 1, state: 'UNAVAILABLE', reason: 'broken/1 is empty' };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-cli-'));
  mkdirSync(join(folder, 'models'));
  writeFileSync(join(folder, 'small.onnx'), 'model bytes');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A world to run commands in; what it is asked to serve is kept. */
function world(entries: readonly IndexEntry[] = [READY], started: (config: ServerConfig) => void = () => {}) {
  const chunks: (string | Uint8Array)[] = [];
  const complaints: string[] = [];
  const served: ServerConfig[] = [];
  let signal: ((name: string) => void) | undefined;
  let stops = 0;
  const io: CliIo = {
    stdout: { write: (chunk) => void chunks.push(chunk) },
    stderr: { write: (chunk) => void complaints.push(String(chunk)) },
    stdin: Readable.from([]),
    env: {},
    cwd: folder,
    isTTY: false,
    version: '1.2.3',
    onSignal(handler) {
      signal = handler;
      return () => {
        signal = undefined;
      };
    },
    openModels() {
      throw new Error('not asked for here');
    },
    async serve(config): Promise<RunningServer> {
      served.push(config);
      started(config);
      let end: (code: number) => void = () => {};
      const done = new Promise<number>((resolve) => {
        end = resolve;
      });
      const listener = (enabled: boolean, port: number) => (enabled ? { address: '127.0.0.1', port } : undefined);
      return {
        ready: Promise.resolve(),
        addresses: {
          http: listener(config.http.enabled, 4000),
          grpc: listener(config.grpc.enabled, 4001),
          metrics: listener(config.metrics.enabled, 4002),
          admin: listener(config.admin.port !== undefined, 4003),
        },
        async stop() {
          stops++;
          end(0);
        },
        done,
        models: () => entries,
        gate: () => {
          throw new Error('not asked for here');
        },
        hint: 'curl something',
      };
    },
    machine: { loadHttp: () => '20.57.0', loadOnnxRuntime: () => ({ version: '1.30.0', path: '/nowhere/lib.so' }) },
  };
  return {
    io,
    served,
    out: () => chunks.map(String).join(''),
    bytes: () => Buffer.concat(chunks.map((chunk) => Buffer.from(chunk))),
    err: () => complaints.join(''),
    signal: (name: string) => signal?.(name),
    stops: () => stops,
  };
}

/** Runs a command whose world ends as soon as it has printed that it serves. */
async function run(argv: readonly string[], entries?: readonly IndexEntry[]) {
  const at = world(entries);
  const { write } = at.io.stdout;
  at.io.stdout.write = (chunk) => {
    write(chunk);
    if (String(chunk).includes('is serving')) queueMicrotask(() => at.signal('SIGTERM'));
  };
  return { ...at, code: await runCli(argv, at.io) };
}

describe('penstock serve', () => {
  it('prints where it listens, what is ready or not and why, and what to try; and ends with the code of the server', async () => {
    const { code, out, err, stops } = await run(['serve', 'models', '--http-port', '4000'], [READY, BROKEN]);
    expect(out()).toContain('http://127.0.0.1:4000');
    expect(out()).toMatch(/digits +1 +READY\n/);
    expect(out()).toMatch(/broken +1 +UNAVAILABLE +broken\/1 is empty/);
    expect(out()).toContain('Try it:\n  curl something');
    expect(err()).toContain('SIGTERM');
    expect([code, stops()]).toEqual([0, 1]);
  });

  it('takes folders from operands and flags together, from the working folder', async () => {
    mkdirSync(join(folder, 'more'), { recursive: true });
    const { served } = await run(['serve', 'models', '--model-repository', 'more']);
    expect(served[0]!.repositories).toEqual([join(folder, 'more'), join(folder, 'models')]);
  });

  it('lays out a repository for a model file, and removes it', async () => {
    let seen: readonly string[] = [];
    const at = world([READY], (config) => {
      seen = [...config.repositories, ...readdirSync(config.repositories[0]!, { recursive: true, encoding: 'utf8' })];
      queueMicrotask(() => at.signal('SIGINT'));
    });
    expect(await runCli(['serve', 'small.onnx'], at.io)).toBe(0);
    expect(seen.slice(1).sort()).toEqual(['small', 'small/1', 'small/1/model.onnx']);
    expect(() => readdirSync(seen[0]!)).toThrow();
  });

  it('tells why a gateway could not start, though it has ended before it says so', async () => {
    const at = world();
    let fail: (error: Error) => void = () => {};
    const ready = new Promise<void>((_, reject) => {
      fail = reject;
    });
    const io: CliIo = {
      ...at.io,
      serve: async (config) => {
        queueMicrotask(() => queueMicrotask(() => fail(new ServingError('CONFLICT', 'port 8000 is taken'))));
        return { ...(await at.io.serve(config)), ready, done: Promise.resolve(0) };
      },
    };
    expect(await runCli(['serve', 'models'], io)).toBe(1);
    expect(at.err()).toContain('port 8000 is taken');
  });

  it('stops with code 1 at a broken model where exitOnError is set', async () => {
    const { code } = await run(['serve', 'models', '--exit-on-error'], [READY, BROKEN]);
    expect(code).toBe(1);
  });

  it('reads penstock.yaml of the working folder and says so', async () => {
    const file = join(folder, 'penstock.yaml');
    writeFileSync(file, 'repositories: [models]\nhttp: { port: 4321 }\n');
    try {
      const { served, err } = await run(['serve']);
      expect(served[0]!.http.port).toBe(4321);
      expect(err()).toContain(`reading ${file}`);
    } finally {
      rmSync(file);
    }
  });

  it.each([
    [['serve'], /no models to serve/],
    [['serve', 'nowhere'], /nowhere: no such folder or model file/],
    [['serve', 'models', '--http-prot', '1'], /did you mean '--http-port'/],
    [['serve', 'models', '--model-control-mode', 'watch'], /expected one of none, explicit, poll/],
    [['serve', 'small.onnx', './small.onnx'], /two files give the model name 'small'/],
  ])('refuses %j with code 2 and says what to do', async (argv, message) => {
    const { code, err, served } = await run(argv);
    expect(err()).toMatch(message);
    expect([code, served.length]).toEqual([2, 0]);
  });
});

describe('penstock validate', () => {
  it('opens no port, reports every model, and fails where one cannot be served', async () => {
    const { code, out, served } = await run(['validate', 'models', '--http-port', '4000', '--json'], [READY, BROKEN]);
    expect([served[0]!.http.enabled, served[0]!.grpc.enabled, served[0]!.metrics.enabled]).toEqual([
      false,
      false,
      false,
    ]);
    expect(JSON.parse(out())).toEqual({ valid: false, models: [READY, BROKEN] });
    expect(code).toBe(1);
  });

  it('is done where all can, and fails where there is none', async () => {
    expect((await run(['validate', 'models'])).code).toBe(0);
    expect((await run(['validate', 'models'], [])).code).toBe(1);
  });
});

describe('the command line', () => {
  it('lists every flag with its meaning in the help of serve and validate', async () => {
    for (const command of ['serve', 'validate']) {
      const { code, out } = await run([command, '--help']);
      expect(code).toBe(0);
      for (const flag of FLAGS) expect(out()).toContain(`--${flag.name}`);
      expect(out()).not.toContain('undefined');
    }
  });

  it('has help with exit codes and a description for every command', async () => {
    const { code, out } = await run(['--help']);
    expect(code).toBe(0);
    for (const command of ['serve', 'infer', 'validate', 'models', 'doctor', 'version'])
      expect(out()).toMatch(new RegExp(`^  ${command}\\b.*[a-z]`, 'm'));
    expect(out()).toContain('Exit codes:');
  });

  it.each([
    [['sreve'], /unknown command 'sreve'[\s\S]*serve/],
    [['models', '--jsn'], /unknown option '--jsn'[\s\S]*--json/],
    [['infer'], /missing required argument 'model'/],
    [['infer', 'm', '--output', 'xml'], /Allowed choices are json, table, npy/],
    [['infer', 'm', '--scale', 'big'], /expected a number or a fraction/],
  ])('refuses %j with code 2', async (argv, message) => {
    const { code, err } = await run(argv);
    expect(err()).toMatch(message);
    expect(code).toBe(2);
  });

  it('prints its version', async () => {
    expect((await run(['version'])).out()).toBe('1.2.3\n');
    expect((await run(['--version'])).out()).toBe('1.2.3\n');
    expect(JSON.parse((await run(['version', '--json'])).out())).toMatchObject({ version: '1.2.3' });
  });

  it('prints the reference that is committed', async () => {
    expect((await run(['config-reference'])).out()).toContain('# Configuration reference');
    expect(JSON.parse((await run(['config-reference', '--json'])).out())).toHaveProperty('server.properties.http');
  });
});

describe('penstock doctor', () => {
  it('passes where the libraries load', async () => {
    const { code, out } = await run(['doctor', '--json']);
    const report = JSON.parse(out()) as { able: boolean; checks: { name: string; status: string }[] };
    expect(report.checks.map((check) => check.name)).toEqual(
      expect.arrayContaining(['Node', 'platform', 'HTTP library', 'memory', 'port 8000 (HTTP)']),
    );
    expect([report.able, code]).toEqual([true, 0]);
  });

  it('fails with the reason where one does not', async () => {
    const at = world();
    const io: CliIo = {
      ...at.io,
      machine: {
        ...at.io.machine,
        loadHttp: () => {
          throw new Error('needs another C library');
        },
      },
    };
    expect(await runCli(['doctor'], io)).toBe(1);
    expect(at.out()).toMatch(/HTTP library +fail +needs another C library/);
  });
});

describe('penstock infer and models against a gateway', () => {
  let gateway: Server;
  let url: string;
  let ready = true;

  /** Speaks enough of V2: the model `double` gives its input `x` back, twice. */
  beforeAll(async () => {
    gateway = createServer((request, reply) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => answer(request.method!, request.url!, request.headers, Buffer.concat(parts), reply));
    });
    const answer = (
      method: string,
      path: string,
      headers: NodeJS.Dict<string | string[]>,
      body: Buffer,
      reply: import('node:http').ServerResponse,
    ) => {
      if (path === '/v2/health/ready') return reply.writeHead(ready ? 200 : 503).end();
      if (path === '/v2/repository/index')
        return reply.end(JSON.stringify([{ name: 'double', version: '1', state: 'READY', reason: '' }]));
      const input = { name: 'x', datatype: 'FP32', shape: [-1, 2] };
      if (method === 'GET' && path.startsWith('/v2/models/double'))
        return reply.end(JSON.stringify({ name: 'double', platform: 'p', inputs: [input], outputs: [] }));
      if (!path.startsWith('/v2/models/double'))
        return reply.writeHead(404).end(JSON.stringify({ error: "unknown model 'nothing'" }));
      const jsonBytes = Number(headers['inference-header-content-length']);
      const asked = JSON.parse(body.toString('utf8', 0, jsonBytes)) as {
        inputs: [{ shape: number[]; datatype: string }];
      };
      const data = body.subarray(jsonBytes);
      const output = { ...asked.inputs[0], parameters: { binary_data_size: data.byteLength } };
      const head = JSON.stringify({
        model_name: 'double',
        model_version: /versions\/(\d+)/.exec(path)?.[1] ?? '1',
        outputs: [
          { ...output, name: 'y' },
          { ...output, name: 'z' },
        ],
      });
      return reply
        .setHeader('inference-header-content-length', head.length)
        .end(Buffer.concat([Buffer.from(head), data, data]));
    };
    await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
    writeFileSync(
      join(folder, 'in.npy'),
      writeNpy({ name: 'x', dataType: 'FP64', shape: [1, 2], data: new Uint8Array(Float64Array.of(1, 2).buffer) }),
    );
    writeFileSync(join(folder, 'in.bin'), new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer));
    writeFileSync(join(folder, 'in.json'), '[[1,2]]');
    writeFileSync(
      join(folder, 'request.json'),
      '{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}',
    );
  });
  afterAll(() => gateway.close());

  it.each([
    [['in.npy'], [1, 2], [1, 2]],
    [['in.json'], [1, 2], [1, 2]],
    [['request.json'], [1, 2], [1, 2]],
    [['in.bin'], [2, 2], [1, 2, 3, 4]],
    [
      ['--input', 'x=[1,2]'],
      [1, 2],
      [1, 2],
    ],
    [
      ['--input', '[[1,2],[3,4]]'],
      [2, 2],
      [1, 2, 3, 4],
    ],
    [
      ['--input', 'x=@in.npy'],
      [1, 2],
      [1, 2],
    ],
  ])('sends %j and prints JSON', async (words, shape, data) => {
    const { code, out, err } = await run(['infer', 'double', '--url', url, ...words]);
    expect(err()).toBe('');
    expect(JSON.parse(out())).toMatchObject({
      model_name: 'double',
      model_version: '1',
      outputs: [{ name: 'y', datatype: 'FP32', shape, data }, { name: 'z' }],
    });
    expect(code).toBe(0);
  });

  it('asks for the version given', async () => {
    const { out } = await run(['infer', 'double', '--url', url, '--version', '7', '--input', '[1,2]']);
    expect(JSON.parse(out())).toMatchObject({ model_version: '7' });
  });

  it('prints a table, and writes NPY files', async () => {
    const { out } = await run(['infer', 'double', '--url', url, 'in.npy', '--output', 'table']);
    expect(out()).toMatch(/y +FP32 +\[1, 2\] +1 2/);
    mkdirSync(join(folder, 'out'));
    expect((await run(['infer', 'double', '--url', url, 'in.npy', '--output', 'npy', '--out', 'out'])).code).toBe(0);
    expect(readNpy(readFileSync(join(folder, 'out/z.npy')), 'z').shape).toEqual([1, 2]);
  });

  it.each([
    [['infer', 'double'], 2, /takes\n {2}x {2}FP32 {2}\[-1, 2\]/],
    [['infer', 'double', '--input', 'y=[1]'], 2, /no input 'y'.*it has x/],
    [['infer', 'double', '--input', '[1,"a"]'], 2, /element 1 \(a\) is no FP32/],
    [['infer', 'double', '--input', '[[1],[1,2]]'], 2, /differ in length/],
    [['infer', 'double', '--input', 'in.npy'], 2, /named with @/],
    [['infer', 'double', 'missing.npy'], 2, /cannot be read \(ENOENT\)/],
    [['infer', 'double', 'small.onnx'], 2, /expected a file ending in/],
    [['infer', 'double', 'in.npy', 'in.json'], 2, /given twice/],
    [['infer', 'double', 'in.npy', '--output', 'npy'], 2, /name a folder/],
    [['infer', 'nothing', 'in.npy'], 1, /unknown model 'nothing'/],
  ])('%j ends with code %i', async (argv, expected, message) => {
    const { code, err } = await run([...argv, '--url', url]);
    expect(err()).toMatch(message);
    expect(code).toBe(expected);
  });

  it('lists models, and fails where the gateway is not ready', async () => {
    expect(await run(['models', '--url', url])).toMatchObject({ code: 0 });
    expect(JSON.parse((await run(['models', '--url', url, '--json'])).out())).toMatchObject({
      ready: true,
      models: [{ name: 'double' }],
    });
    ready = false;
    expect((await run(['models', '--url', url])).code).toBe(1);
    ready = true;
  });

  it('ends with code 3 and says what to do where nobody answers', async () => {
    const { code, err } = await run(['models', '--url', 'http://127.0.0.1:1']);
    expect(err()).toMatch(/no gateway answers .*penstock serve/);
    expect(code).toBe(3);
  });
});
