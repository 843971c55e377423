import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cliRun } from '../support/cli-run.js';
import { jsonBody, tensor } from '../support/infer-forms.js';
import type { ModelFolder } from '../support/model-folder.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';
import { seeded } from '../support/seeded-random.js';

const TOKEN = 'pst_ops';
const MODEL = 'm';
const KILLS = 8;

let folder: string;
let models: ModelFolder;
let gateway: RunningGateway | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-operator-'));
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  writeFileSync(join(folder, 'tokens.yaml'), JSON.stringify({ tokens: [{ name: 'ops', scopes: ['admin'], sha256 }] }));
  models = repositoryOf({
    [MODEL]: {
      fixture: { 1: 'identity_fixed', 2: 'identity_fixed', 3: 'identity_fixed' },
      config: 'version_policy { all {} }',
      files: { 'routes.yaml': 'default: 1\n' },
    },
    plain: { fixture: { 1: 'identity_fixed', 2: 'identity_fixed' }, config: 'version_policy { all {} }' },
  });
});
afterEach(async () => {
  await gateway?.stop();
  gateway = undefined;
  models.remove();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<RunningGateway> {
  const flags = [
    '--admin-port=0',
    `--state-dir=${join(folder, 'state')}`,
    `--tokens-file=${join(folder, 'tokens.yaml')}`,
  ];
  gateway = await RunningGateway.start(models, flags);
  return gateway;
}

async function killed(one: RunningGateway): Promise<void> {
  process.kill(one.pid, 'SIGKILL');
  await one.exited;
  gateway = undefined;
}

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
  readonly body: any;
}

async function admin(one: RunningGateway, method: string, path: string, body?: string): Promise<Answer> {
  const reply = await fetch(`http://127.0.0.1:${one.adminPort}/v2/admin/routes${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}` },
    ...(body === undefined ? {} : { body }),
  });
  return { status: reply.status, body: await reply.json() };
}

/** Version, route and table of an answer. */
async function way(one: RunningGateway, model = MODEL, headers: Record<string, string> = {}): Promise<string[]> {
  const inputs = [tensor('INPUT0', 'FP32', [1, 4], Float32Array.of(1, 2, 3, 4))];
  const answer = await one.call(`/v2/models/${model}/infer`, { body: jsonBody({ model, id: '', inputs }), headers });
  return [
    String(answer.status),
    ...['version', 'route', 'table'].map((name) => String(answer.headers[`x-penstock-${name}`])),
  ];
}

const DOCUMENT = `# set by an operator
labels: { old: 1, new: 3 }
flags: { try-new: false }
default: old
rules:
  - { name: testers, when: { of: { from: header, name: x-tester }, exists: true }, to: new, flag: try-new }
filters:
  - { name: stop, when: { of: { from: header, name: x-bad }, exists: true }, block: not now, enabled: false }
`;
const tester = { 'x-tester': '1' };

describe('routes that an operator sets', { timeout: 90_000 }, () => {
  it('are in force when the call is answered, and survive kill -9', async () => {
    let one = await start();
    expect((await way(one)).slice(0, 2)).toEqual(['200', '1']);
    const set = await admin(one, 'PUT', `/${MODEL}`, DOCUMENT);
    expect(set).toMatchObject({
      status: 200,
      body: { model: MODEL, source: 'operator', document: DOCUMENT, leftOut: [] },
    });
    expect(await way(one)).toEqual(['200', '1', 'default', String(set.body.table)]);
    expect((await way(one, MODEL, tester))[1]).toBe('1');
    const flagged = await admin(one, 'PUT', `/${MODEL}/flags/try-new`, '{"on":true}');
    expect(flagged.body.table).toBeGreaterThan(set.body.table);
    expect(await way(one, MODEL, tester)).toEqual(['200', '3', 'testers', String(flagged.body.table)]);
    expect((await admin(one, 'PUT', `/${MODEL}/filters/stop`, '{"on":true}')).status).toBe(200);
    expect((await way(one, MODEL, { 'x-bad': '1' }))[0]).toBe('403');
    await killed(one);

    one = await start();
    const kept = (await admin(one, 'GET', `/${MODEL}`)).body;
    expect(kept).toMatchObject({
      source: 'operator',
      document: DOCUMENT,
      routes: { flags: { 'try-new': true }, filters: [{ name: 'stop', enabled: true }] },
    });
    expect((await way(one, MODEL, tester)).slice(1, 3)).toEqual(['3', 'testers']);

    expect((await way(one, MODEL, { 'x-bad': '1' }))[0]).toBe('403');
    expect((await admin(one, 'DELETE', `/${MODEL}`)).body).toMatchObject({
      source: 'file',
      routes: { default: 1, flags: {} },
    });
    expect((await way(one, MODEL, tester)).slice(1, 3)).toEqual(['1', 'default']);
    await killed(one);
    expect((await admin(await start(), 'GET', `/${MODEL}`)).body.source).toBe('file');
  });

  it('are refused with the line at fault, and then nothing has changed', async () => {
    const one = await start();
    await admin(one, 'PUT', `/${MODEL}`, DOCUMENT);
    const before = (await admin(one, 'GET', '')).body;
    for (const [document, message] of [
      ['default: 9\n', /1: default: version 9 is not served; served: 1, 2, 3/],
      ['labels: { a: 1 }\ndefault: b\n', /2: default: no label or split 'b'/],
      ['defualt: 1\n', /1: defualt: unknown field 'defualt', did you mean 'default'/],
      ['splits:\n  ab: { arms: [{ to: 1, percent: 60 }, { to: 2, percent: 60 }] }\n', /2: .*sum to 120, expected 100/],
      ['default: [', /1: /],
    ] as const) {
      const { status, body } = await admin(one, 'PUT', `/${MODEL}`, document);
      expect(body.error).toMatch(message);
      expect(status).toBe(400);
    }
    for (const [path, body, status, message] of [
      [`/${MODEL}/flags/try-mew`, '{"on":true}', 400, /no flag 'try-mew', did you mean 'try-new'/],
      [`/${MODEL}/filters/nothing`, '{"on":true}', 400, /no filter 'nothing'/],
      [`/${MODEL}/flags/try-new`, '{"on":"yes"}', 400, /expected \{"on": true\}/],
      [`/${MODEL}/flags/try-new`, 'on', 400, /not JSON/],
      ['/nobody', 'default: 1', 404, /'nobody'/],
      ['/plain/flags/x', '{"on":true}', 404, /has no routes/],
      ['/..%2fm', 'default: 1', 400, /name/],
    ] as const) {
      const answer = await admin(one, 'PUT', path, body);
      expect(answer.body.error).toMatch(message);
      expect([path, answer.status]).toEqual([path, status]);
    }
    expect((await admin(one, 'PUT', `/${MODEL}`, `#${'x'.repeat(2 ** 20)}`)).status).toBe(413);
    expect((await admin(one, 'GET', '')).body).toEqual(before);
  });

  it('keep a model serving where a version that they name is gone at the next start, and say so', async () => {
    let one = await start();
    await admin(one, 'PUT', '/plain', 'labels: { new: 2 }\ndefault: new\n');
    expect((await way(one, 'plain'))[1]).toBe('2');
    await killed(one);
    models.remove('plain/2');
    one = await start();
    expect((await way(one, 'plain')).slice(0, 2)).toEqual(['200', '1']);
    expect((await admin(one, 'GET', '/plain')).body.leftOut.length).toBeGreaterThan(0);
    expect(one.log).toContain('routes that do not fit what serves are left out');
  });

  it(`are the old ones or the new ones after kill -9 amid changes, ${KILLS} times, never a mixture`, {
    timeout: 240_000,
  }, async () => {
    const random = seeded(5);
    // Document i: its number stands in label and salt, its default is the version 1 + i % 3.
    const document = (i: number) =>
      `labels: { n${i}: ${1 + (i % 3)} }\nflags: { f${i}: true }\ndefault: n${i}\nsplits:\n  s${i}: { arms: [{ to: n${i}, percent: 100 }], salt: x${i} }\n`;
    const numberOf = (text: string) => Number(/default: n(\d+)/.exec(text)?.[1]);
    let sent = 0;
    let answered = -1;
    for (let kill = 0; kill < KILLS; kill++) {
      const one = await start();
      if (answered >= 0) {
        const { body } = await admin(one, 'GET', `/${MODEL}`);
        const held = numberOf(body.document);
        expect([answered, sent]).toContain(held);
        answered = held;
        expect(body.document).toBe(document(held));
        expect(Object.keys({ ...body.routes.labels, ...body.routes.flags, ...body.routes.splits })).toEqual([
          `n${held}`,
          `f${held}`,
          `s${held}`,
        ]);
        expect(body.routes.splits[`s${held}`].salt).toBe(`x${held}`);
        expect(await way(one)).toEqual(['200', String(1 + (held % 3)), 'default', String(body.table)]);
      }
      const end = performance.now() + 20 + random() * 250;
      let alive = true;
      const puts = (async () => {
        while (alive) {
          sent++;
          try {
            const { status } = await admin(one, 'PUT', `/${MODEL}`, document(sent));
            if (status === 200) answered = sent;
          } catch {
            return; // the gateway is gone, with or without this change
          }
        }
      })();
      await new Promise((resolve) => {
        setTimeout(resolve, end - performance.now());
      });
      await killed(one);
      alive = false;
      await puts;
    }
    expect(answered).toBeGreaterThan(KILLS);
  });
});

describe('the commands of operators', () => {
  it('set, show and remove routes, switch flags and filters, and read the audit', async () => {
    const one = await start();
    writeFileSync(join(folder, 'r.yaml'), DOCUMENT);
    writeFileSync(join(folder, 'token'), `${TOKEN}\n`);
    const run = (line: string) => cliRun(`${line} --url 127.0.0.1:${one.adminPort} --token-file token`, folder);
    const set = await run(`routes set ${MODEL} r.yaml`);
    expect(set).toMatchObject({ code: 0, err: '' });
    expect(set.out).toMatch(
      /^model m: routes set by an operator; in force, table \d+\nflags: try-new off\nfilters: stop off\n$/,
    );
    expect((await run(`flags set ${MODEL} try-new on`)).out).toContain('flags: try-new on');
    expect((await run(`filters on ${MODEL} stop`)).out).toContain('filters: stop on');
    expect((await run(`filters off ${MODEL} stop`)).out).toContain('filters: stop off');
    expect((await run('routes show')).out).toMatch(/MODEL +SET BY +TABLE +LEFT OUT\nm +operator +\d+\n/);
    expect((await run(`routes show ${MODEL} --document`)).out).toBe(DOCUMENT);
    expect(JSON.parse((await run(`routes show ${MODEL} --json`)).out)).toMatchObject({
      source: 'operator',
      routes: { default: 'old' },
    });
    expect((await run(`routes remove ${MODEL}`)).out).toContain('routes of its file');
    expect(await run(`routes show ${MODEL} --document`)).toMatchObject({
      code: 1,
      err: expect.stringContaining('those of its file'),
    });
    const audit = (await run('audit')).out;
    expect(audit).toMatch(
      /routesRemove +m +done\n.*filterSet +m\/stop=false +done\n.*filterSet +m\/stop=true +done\n.*flagSet +m\/try-new=true +done\n.*routesSet +m +done/,
    );
    expect(JSON.parse((await run('audit --most 1 --json')).out)).toMatchObject({
      entries: [{ who: 'ops', call: 'routesRemove' }],
    });
    expect(readFileSync(join(folder, 'token'), 'utf8')).not.toBe(audit);
  });

  it('say what to do next where it fails', async () => {
    const one = await start();
    writeFileSync(join(folder, 'bad.yaml'), 'default: 9\n');
    const url = `--url 127.0.0.1:${one.adminPort}`;
    for (const [line, code, message] of [
      [`routes show ${MODEL} ${url}`, 1, /needs a token .*--token-file/],
      [`routes show ${MODEL} ${url} --token wrong`, 1, /not one of this server.*penstock token list/],
      [`routes set ${MODEL} bad.yaml ${url} --token ${TOKEN}`, 2, /1: default: version 9 is not served/],
      [`routes set ${MODEL} nowhere.yaml ${url} --token ${TOKEN}`, 2, /nowhere\.yaml: cannot be read/],
      [`routes show nobody ${url} --token ${TOKEN}`, 1, /'nobody' has no routes/],
      [`flags set ${MODEL} f maybe ${url}`, 2, /expected on or off/],
      ['routes show --url 127.0.0.1:9', 3, /no admin API answers at .*--admin-port 8003/],
    ] as const) {
      const result = await cliRun(line, folder);
      expect(result.err).toMatch(message);
      expect([line, result.code]).toEqual([line, code]);
    }
  });
});
