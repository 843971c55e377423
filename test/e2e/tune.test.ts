import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelFolder } from '../support/model-folder.js';
import { fixturePath } from '../support/onnx-fixtures.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/penstock.cjs', import.meta.url));
/** As short as a measurement can be: what is tested is what becomes of it. */
const QUICK = ['--seconds', '0.5', '--instances', '1', '--threads', '1'];

let folder: string;
let models: ModelFolder;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-tune-'));
  models = repositoryOf({
    plain: 'mlp',
    configured: { fixture: 'mlp', config: 'max_batch_size: 8 dynamic_batching { }\n# A comment of the owner.\n' },
  });
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  models.remove();
});

function penstock(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, XDG_CACHE_HOME: folder };
    const child = spawn(process.execPath, [PROGRAM, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
}

describe('penstock tune', () => {
  it('measures a model, writes what simulate and plan read, and a page that needs no other file', async () => {
    const asked = ['--slo-ms', '5000', '--out', 'curve.json', '--html', 'report.html'];
    const { code, out, err } = await penstock('tune', 'plain', models.path, ...QUICK, ...asked);
    expect([code, err]).toEqual([0, expect.stringMatching(/^penstock: loading plain\npenstock: setting 1 of 1/)]);
    expect(err).not.toMatch(/warn/);
    expect(out).toMatch(/plain version 1, on \d+ cores? of /);
    expect(out).toMatch(/ROWS +MEAN MS +P90 MS +P99 MS +ROWS\/S/);
    expect(out).toMatch(/REQUESTS\/S +LOAD +P50 MS +P99 MS +ROWS A BATCH +IN TIME/);
    expect(out).toContain('instance_group [ { kind: KIND_CPU count: 1 } ]');

    const result = JSON.parse(readFileSync(join(folder, 'curve.json'), 'utf8'));
    expect(result).toMatchObject({ penstockTune: 1, model: 'plain', version: 1, from: 'here', sloMs: 5000 });
    const [{ rows, meanMs, upperMs, rowsPerSecond, executions }] = result.chosen.sizes;
    expect([rows, meanMs > 0, upperMs >= meanMs, rowsPerSecond > 0, executions > 0]).toEqual([
      1,
      true,
      true,
      true,
      true,
    ]);
    expect(result.measured).toHaveLength(1);

    const page = readFileSync(join(folder, 'report.html'), 'utf8');
    expect(page.match(/<svg /g)).toHaveLength(3);
    expect(page).not.toMatch(/NaN|undefined|(?:src|href)=/);

    const simulated = await penstock(
      'simulate',
      '--curve',
      'curve.json',
      '--slo-ms',
      '50',
      '--requests',
      '2000',
      '--json',
    );
    expect([simulated.code, simulated.err]).toEqual([0, '']);
    expect(JSON.parse(simulated.out).goodputPerSecond).toBeGreaterThan(0);
    const plan = await penstock('plan', '--curve=curve.json', '--rate=50', '--slo-ms=5000', '--requests=500', '--json');
    expect(JSON.parse(plan.out).instances).toBeGreaterThanOrEqual(1);
  }, 120_000);

  it('takes a model file that lies in no repository, and prints JSON alone', async () => {
    const { code, out } = await penstock('tune', fixturePath('mlp'), ...QUICK, '--max-batch', '2', '--json');
    expect(code).toBe(0);
    const { model, maxBatchSize, measured, suggestion } = JSON.parse(out);
    expect({ model, maxBatchSize }).toEqual({ model: 'mlp', maxBatchSize: 2 });
    expect(measured[0].sizes.map(({ rows }: { rows: number }) => rows)).toEqual([1, 2]);
    expect(suggestion.yaml).toContain('max_batch_size: 2');
  }, 120_000);

  it('writes a config where there is none, and never over one that is there', async () => {
    const place = (name: string, file: string) => join(models.path, name, file);
    const first = await penstock('tune', 'plain', models.path, ...QUICK, '--write');
    expect([first.code, first.err]).toEqual([0, expect.stringMatching(/wrote .*plain\/config\.yaml; the next load/)]);
    expect(readFileSync(place('plain', 'config.yaml'), 'utf8')).toMatch(
      /^# Suggested by penstock tune\.\nmax_batch_size/,
    );
    const before = readFileSync(place('configured', 'config.pbtxt'), 'utf8');
    const second = await penstock('tune', 'configured', models.path, ...QUICK, '--write');
    expect(second.err).toMatch(/wrote .*config\.tuned\.pbtxt; take over into config\.pbtxt/);
    expect(readFileSync(place('configured', 'config.pbtxt'), 'utf8')).toBe(before);
    expect(existsSync(place('configured', 'config.tuned.pbtxt'))).toBe(true);
    // What it wrote can be served.
    const valid = await penstock('validate', models.path, '--json');
    expect([valid.code, JSON.parse(valid.out).valid]).toEqual([0, true]);
  }, 180_000);

  it('takes what a running gateway has learned, and says so where that is nothing', async () => {
    const gateway = await RunningGateway.start(repositoryOf({ mlp: { fixture: 'mlp', config: 'max_batch_size: 4' } }));
    try {
      const ask = () => penstock('tune', 'mlp', '--url', gateway.url, '--json');
      const fresh = await ask();
      expect([fresh.code, fresh.err]).toEqual([
        1,
        expect.stringMatching(/does not know yet what model 'mlp' takes: send it/),
      ]);
      const data = Array.from({ length: 64 }, () => 1);
      const body = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 64], data }] };
      for (let i = 0; i < 3; i++) expect((await gateway.post('/v2/models/mlp/infer', body)).status).toBe(200);
      const known = JSON.parse((await ask()).out);
      expect(known).toMatchObject({ from: gateway.url, version: 1, chosen: { instances: 1 } });
      expect(known.suggestion).toBeUndefined();
      expect(known.chosen.sizes[0].meanMs).toBeGreaterThan(0);
    } finally {
      await gateway.stop();
    }
  }, 60_000);

  it('does what its page shows', async () => {
    const root = fileURLToPath(new URL('../../', import.meta.url));
    const page = readFileSync(join(root, 'src/cli/tune/TUNE.md'), 'utf8');
    const lines = [...page.matchAll(/^ {4}penstock (.*)$/gm)].map(([, line]) => line as string);
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      const words = line.split(' ').map((word) => (word.startsWith('deploy/') ? join(root, word) : word));
      expect(await penstock(...words)).toMatchObject({ code: 0 });
    }
  }, 120_000);

  const refusals: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['a model that is not there', ['no-such'], 2, /no model 'no-such' in .*: there are configured, plain/],
    ['a shape of an unknown input', ['plain', '--shape', 'y=1,64'], 2, /no input 'y'; it has x/],
    ['a shape that does not fit', ['plain', '--shape', 'x=1,2,3'], 2, /open axes|say their sizes/],
    [
      'an option that does not go with a gateway',
      ['plain', '--url', 'http://127.0.0.1:1'],
      2,
      /does not go with --url/,
    ],
    ['a wrong list', ['plain', '--instances', '1,x'], 2, /expected a whole number/],
  ];
  it.each(refusals)(
    'says what is wrong with %s, and what to do',
    async (_what, args, exit, message) => {
      const { code, err } = await penstock(
        'tune',
        args[0] as string,
        models.path,
        ...args.slice(1),
        '--seconds',
        '0.5',
      );
      expect([code, err]).toEqual([exit, expect.stringMatching(message)]);
    },
    60_000,
  );

  it('is refused as a curve where the file is another', async () => {
    writeFileSync(join(folder, 'other.json'), '{"a":1}');
    const other = await penstock('simulate', '--curve', 'other.json', '--slo-ms', '5');
    expect([other.code, other.err]).toEqual([2, expect.stringMatching(/other\.json is not what penstock tune writes/)]);
    const none = await penstock('simulate', '--curve', 'none.json', '--slo-ms', '5');
    expect([none.code, none.err]).toEqual([2, expect.stringMatching(/cannot read the file none\.json \(ENOENT\)/)]);
  }, 60_000);
});
