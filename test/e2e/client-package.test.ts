import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { ClientProgram } from '../support/client-program.js';
import { PROGRAM } from '../support/gateway-process.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

// Each starts the program or the compiler some times.
vi.setConfig({ testTimeout: 120_000 });

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSC = join(ROOT, 'node_modules/.bin/tsc');
/** What src/client/README.md states. */
const BUNDLE_BYTES = 20_500;
const BUNDLE_GZIP_BYTES = 7_500;

let gateway: RunningGateway;
let program: ClientProgram;

beforeAll(async () => {
  const models = repositoryOf({
    mlp: 'mlp',
    'add-two': 'add_two',
    same: 'identity_fp32',
    over: {
      fixture: 'overridable',
      config: 'max_batch_size: 0\ninput [{ name: "INPUT0" }, { name: "BIAS" optional: true }]\n',
    },
    two: { fixture: { 1: 'identity_fp32', 2: 'identity_int64' }, config: 'version_policy { all { } }\n' },
  });
  gateway = await RunningGateway.start(models);
  program = new ClientProgram();
});

afterAll(async () => {
  program?.remove();
  expect(await gateway?.stop()).toBe(0);
});

/** Runs the command line with words; what it printed and its exit code. */
function penstock(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...words], {
    cwd: program.path,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

/** Compiles a file of the user's program; what the compiler complains of. */
function compile(file: string, ...options: string[]): string {
  const strict = ['--strict', '--noUncheckedIndexedAccess', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false'];
  const common = [
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--verbatimModuleSyntax',
    '--erasableSyntaxOnly',
    '--types',
    '',
  ];
  const { stdout } = spawnSync(TSC, [...strict, ...common, ...options, file], { cwd: program.path, encoding: 'utf8' });
  return stdout;
}

describe('penstock/client as a package', () => {
  it('is there for Node, with gRPC', () => {
    const code = `
      import { PenstockClient } from 'penstock/client';
      import { PenstockGrpcClient } from 'penstock/client/grpc';
      const grpc = new PenstockGrpcClient('127.0.0.1:${gateway.grpcPort}');
      const stream = new PenstockClient('${gateway.url}').openStream('same');
      const INPUT0 = { shape: [1, 1], data: new Float32Array([7]) };
      const answers = [await grpc.infer('same', { INPUT0 }), await stream.infer({ INPUT0 })];
      console.log(answers.map(({ outputs }) => outputs.OUTPUT0.data[0]).join());
      await stream.close();
      grpc.close();`;
    writeFileSync(join(program.path, 'node.mjs'), code);
    expect(execFileSync(process.execPath, ['node.mjs'], { cwd: program.path, encoding: 'utf8' })).toBe('7,7\n');
  });

  it('has nothing of Node for browsers, and is small', async () => {
    const { code } = await browserBundle(true);
    expect(code).not.toMatch(/\brequire\(|\bimport\b\s*[({'"*]|node:|\bBuffer\b|\bprocess\b/);
    const sizes = [Buffer.byteLength(code), gzipSync(code).byteLength] as const;
    expect(sizes[0]).toBeLessThanOrEqual(BUNDLE_BYTES);
    expect(sizes[1]).toBeLessThanOrEqual(BUNDLE_GZIP_BYTES);
    const stated = readFileSync(join(ROOT, 'src/client/README.md'), 'utf8');
    expect(stated).toContain(`${BUNDLE_BYTES / 1000} KB minified, ${BUNDLE_GZIP_BYTES / 1000} KB compressed`);
  });

  it('infers over HTTP and WebSocket where there are only the globals of the web', async () => {
    const { code } = await browserBundle(false);
    const web = {
      fetch,
      WebSocket,
      AbortController,
      AbortSignal,
      TextEncoder,
      TextDecoder,
      crypto,
      performance,
      btoa,
      URL,
    };
    const realm = createContext({ ...web, setTimeout, clearTimeout, gatewayUrl: gateway.url });
    const answer: unknown = await runInContext(
      `${code};
      (async () => {
        const client = new penstock.PenstockClient(gatewayUrl);
        const INPUT0 = { shape: [1, 2], data: new Float32Array([1, 2]) };
        const stream = client.openStream('same');
        const answers = await Promise.all([client.infer('same', { INPUT0 }), stream.infer({ INPUT0 }), stream.infer({ INPUT0 })]);
        await stream.close();
        for await (const part of client.stream('same', { INPUT0 })) answers.push(part);
        const events = [];
        for await (const { outputs } of client.generateStream('same', { INPUT0: [1, 2] })) events.push(outputs.OUTPUT0);
        const refused = await client.infer('same', {}).catch((error) => error);
        return JSON.stringify([answers.map(({ outputs }) => [...outputs.OUTPUT0.data]), events, refused.reason, typeof process, typeof Buffer]);
      })()`,
      realm,
    );
    expect(JSON.parse(answer as string)).toEqual([
      [
        [1, 2],
        [1, 2],
        [1, 2],
        [1, 2],
      ],
      [[1, 2]],
      'MISSING_INPUT',
      'undefined',
      'undefined',
    ]);
  });

  /** As a bundler of a web page takes it: by the package's name and the condition `browser`. */
  async function browserBundle(minify: boolean): Promise<{ code: string }> {
    writeFileSync(join(program.path, 'page.js'), "export * from 'penstock/client';\n");
    const build = await rolldown({ input: join(program.path, 'page.js'), platform: 'browser', logLevel: 'silent' });
    const { output } = await build.generate({ format: 'iife', name: 'penstock', minify });
    await build.close();
    return output[0];
  }
});

describe('penstock generate-types', () => {
  it('writes the same from a gateway and from its repository, and checks the file', () => {
    const out = join(program.path, 'models.ts');
    const fromGateway = penstock('generate-types', '--url', gateway.url);
    expect([fromGateway.status, fromGateway.stderr]).toEqual([0, '']);
    expect(penstock('generate-types', '--repository', gateway.models.path, '--out', 'models.ts').status).toBe(0);
    expect(readFileSync(out, 'utf8')).toBe(fromGateway.stdout);
    expect(penstock('generate-types', '--url', gateway.url, '--out', 'models.ts', '--check').status).toBe(0);
    writeFileSync(out, fromGateway.stdout.replace('64', '63'));
    const stale = penstock('generate-types', '--url', gateway.url, '--out', 'models.ts', '--check');
    expect([stale.status, stale.stderr]).toEqual([1, expect.stringMatching(/models\.ts is stale from line \d+ on/)]);
    expect(penstock('generate-types', '--url', gateway.url, '--check').status).toBe(2);
    expect(penstock('generate-types', '--url', gateway.url, '--out', 'none.ts', '--check').status).toBe(1);
    expect(penstock('generate-types', '--url', 'http://127.0.0.1:9').status).toBe(3);
    expect(penstock('generate-types', 'nobody', '--url', gateway.url)).toMatchObject({ status: 1 });
  });

  it('has optional inputs optional, and each version where they differ', () => {
    const { stdout } = penstock('generate-types', 'over', 'two', '--url', gateway.url);
    expect(stdout).toMatch(/readonly BIAS\?: InputTensor<'FP32', readonly \[4\]>;/);
    expect(stdout).toMatch(/namespace two \{\n {2}export type Inputs = \{\n.*\n.*'INT64'/);
    expect(stdout).toMatch(/namespace v1 \{\n {4}export type Inputs = \{\n.*\n.*'FP32'/);
    expect(stdout).not.toContain('mlp');
  });

  it('types a call, whose answer is what they say', () => {
    expect(penstock('generate-types', '--url', gateway.url, '--out', 'models.ts').status).toBe(0);
    writeFileSync(
      join(program.path, 'typed.ts'),
      `import { PenstockClient } from 'penstock/client';
      import type { add_two, mlp, Models, over } from './models.js';
      const client = new PenstockClient('${gateway.url}');
      const x = { shape: [2, 64], data: new Float32Array(128) } as const;
      const { outputs } = await client.infer<mlp.Inputs, mlp.Outputs>('mlp', { x });
      const logits: Float32Array = outputs.logits.data;
      const classes: 10 = outputs.logits.shape[1];
      const sixteen = { shape: [1, 16], data: new Int32Array(16).fill(2) } as const;
      type Add = Models['add-two'];
      const added = await client.infer<Add['inputs'], Add['outputs']>('add-two', { INPUT0: sixteen, INPUT1: sixteen });
      const sum: Int32Array = added.outputs.OUTPUT0.data;
      await client.infer<over.Inputs, over.Outputs>('over', { INPUT0: { shape: [1, 4], data: new Float32Array(4) } });
      const untyped = await client.infer('mlp', { x });
      const any = untyped.outputs['logits'];
      if (any?.datatype === 'FP32') any.data.fill(0);
      declare const console: { log(text: string): void };
      export type Unused = add_two.Inputs;
      console.log([logits.length, classes, sum[0]].join());`,
    );
    expect(compile('typed.ts', '--lib', 'es2023,dom')).toBe('');
    expect(execFileSync(process.execPath, ['typed.js'], { cwd: program.path, encoding: 'utf8' })).toBe('20,10,4\n');
  });

  it.each([
    ['a wrong size', '{ x: { shape: [1, 63], data: new Float32Array(63) } }'],
    ['a wrong rank', '{ x: { shape: [64], data: new Float32Array(64) } }'],
    ['a wrong array', '{ x: { shape: [1, 64], data: new Float64Array(64) } }'],
    ['a wrong name', '{ y: { shape: [1, 64], data: new Float32Array(64) } }'],
    ['nothing', '{}'],
  ])('does not let %s compile', (_what, inputs) => {
    penstock('generate-types', 'mlp', '--url', gateway.url, '--out', 'models.ts');
    writeFileSync(
      join(program.path, 'wrong.ts'),
      `import { PenstockClient } from 'penstock/client';
      import type { mlp } from './models.js';
      await new PenstockClient('').infer<mlp.Inputs, mlp.Outputs>('mlp', ${inputs});`,
    );
    expect(compile('wrong.ts', '--lib', 'es2023,dom', '--noEmit')).toMatch(/^wrong\.ts\(3,\d+\): error/m);
  });
});
