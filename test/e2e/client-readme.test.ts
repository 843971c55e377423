import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClientProgram } from '../support/client-program.js';
import { PROGRAM } from '../support/gateway-process.js';
import { placeVersion, RunningGateway, streamingRepository } from '../support/running-gateway.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSC = join(ROOT, 'node_modules/.bin/tsc');
const OPTIONS =
  '--strict --noUncheckedIndexedAccess --exactOptionalPropertyTypes --module nodenext --target es2023 --verbatimModuleSyntax';

/** The model of the last example. */
const SUMS = `backend: "script" max_batch_size: 1
  input [ { name: "INPUT" data_type: TYPE_INT32 dims: [ 1 ] } ] output [ { name: "OUTPUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
  sequence_batching { control_input [
    { name: "START" control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] },
    { name: "END" control [ { kind: CONTROL_SEQUENCE_END int32_false_true: [ 0, 1 ] } ] } ] }`;

/** What each example prints, in their order. */
const PRINTED = [/^\d+n\n$/, /^4\n2\n7\n$/, /^\s*(\S+\s+){5}true\n$/, /^13\n$/];

const EXAMPLES = [...readFileSync(join(ROOT, 'src/client/README.md'), 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map(
  ([, code]) => code as string,
);

let gateway: RunningGateway;
let program: ClientProgram;

beforeAll(async () => {
  const folder = streamingRepository();
  cpSync(join(ROOT, 'deploy/examples/models/digits'), join(folder.path, 'digits'), { recursive: true });
  placeVersion(folder, 'running_sum', 1, 'accumulator.mjs');
  folder.write('running_sum/config.pbtxt', SUMS);
  gateway = await RunningGateway.start(folder);
  program = new ClientProgram();
  const words = [PROGRAM, 'generate-types', '--url', gateway.url, '--out', 'models.ts'];
  execFileSync(process.execPath, words, { cwd: program.path });
});

afterAll(async () => {
  program?.remove();
  expect(await gateway?.stop()).toBe(0);
});

/** Compiles a program that has the types of the models; what the compiler complains of. */
function compile(file: string, code: string): string {
  writeFileSync(join(program.path, file), `declare const console: { log(value: unknown): void };\n${code}`);
  const words = [...OPTIONS.split(' '), '--types', '', '--lib', 'es2023,dom', file];
  return spawnSync(TSC, words, { cwd: program.path, encoding: 'utf8' }).stdout;
}

describe('the examples of the client', { timeout: 60_000 }, () => {
  it('are those that are known here', () => {
    expect(EXAMPLES.length).toBe(PRINTED.length);
  });

  it.each(EXAMPLES.map((code, i) => [i + 1, code] as const))('compile and run: %i', (number, code) => {
    const own = code.replaceAll('127.0.0.1:8000', new URL(gateway.url).host);
    expect(compile(`example${number}.ts`, `export {};\n${own}`)).toBe('');
    const printed = execFileSync(process.execPath, [`example${number}.js`], { cwd: program.path, encoding: 'utf8' });
    expect(printed).toMatch(PRINTED[number - 1] as RegExp);
  });

  it.each([
    ['a value of another type', "generate<M.Inputs, M.Outputs>('text_generator', { text_input: 7 })"],
    ['a name that is none', "generateStream<M.Inputs, M.Outputs>('text_generator', { text_input: '', tokens: 1 })"],
    ['nothing', "generate<M.Inputs, M.Outputs>('text_generator', {})"],
    ['tensors of another model', "stream<M.Inputs, M.Outputs>('text_generator', { IN: 1 })"],
    [
      'an output as what it is not',
      "generate<M.Inputs, M.Outputs>('text_generator', { text_input: '' }).then(({ outputs }): number => outputs.text_output)",
    ],
    [
      'an input of a sequence as what it is not',
      "sequence<S.Inputs, S.Outputs>('running_sum').infer({ INPUT: { shape: [1, 1], data: new Float32Array(1) } })",
    ],
  ])('their types do not let %s compile', (_what, call) => {
    const complaints = compile(
      'wrong.ts',
      `import { PenstockClient } from 'penstock/client';
      import type { running_sum as S, text_generator as M } from './models.js';
      export type Used = [S.Inputs, M.Inputs];
      void new PenstockClient('').${call};`,
    );
    expect(complaints).toMatch(/^wrong\.ts\(5,\d+\): error/m);
  });
});
