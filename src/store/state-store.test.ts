import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SilentLog } from '../../test/support/silent-log.js';
import type { AuditEntry, ModelRelease, ReleaseChange, RolloutRecord } from '../core/index.js';
import { Database } from './database.js';
import { APPLICATION_ID, MIGRATIONS, migrate } from './schema.js';
import { StateStore, type StateStoreOptions } from './state-store.js';

let folder: string;
let file: string;
let opened: StateStore[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-store-'));
  file = join(folder, 'state', 'state.db');
  opened = [];
});
afterEach(() => {
  for (const store of opened) store.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(options: Partial<StateStoreOptions> = {}): StateStore {
  const store = new StateStore({ file, make: 'now', log: new SilentLog(), ...options });
  opened.push(store);
  return store;
}

const rollout = (id: string, updatedMs = 1, state = 'shadowing'): RolloutRecord => ({
  id,
  model: 'm',
  state,
  plan: '{}',
  progress: '{}',
  updatedMs,
});
const observation = (id: string, body: string) => ({ rollout: id, atMs: 1, kind: 'observed', body });
const release = (name: string): ModelRelease => ({
  defaultVersion: 1,
  split: {
    number: 1,
    rollout: name,
    baseline: 1,
    candidate: 2,
    canaryBuckets: 500,
    shadowBuckets: 0,
    salt: 's',
    key: { from: 'json', input: 'x', path: ['user', 0] },
  },
});
const audited = (call: string): AuditEntry => ({
  atMs: 5,
  who: 'ci',
  from: '10.0.0.1',
  call,
  target: 'm',
  outcome: 'begun',
  omitted: 0,
});

describe('the state store', () => {
  it('has after a restart what was committed before', () => {
    const change: ReleaseChange = {
      rollout: rollout('r1'),
      decisions: [
        observation('r1', '{"n":1}'),
        { rollout: 'r1', atMs: 2, kind: 'decided', body: '{"move":"advance"}' },
      ],
      release: { model: 'm', release: release('r1') },
      routes: { model: 'm', document: '{"rules":[]}' },
    };
    const first = open();
    first.commit(change);
    const number = first.add(audited('routesSet'));
    first.settle(number, 'done');
    first.close();
    const second = open();
    expect(second.rollouts()).toEqual([change.rollout]);
    expect(second.decisions('r1').map(({ sequence: _, ...entry }) => entry)).toEqual(change.decisions);
    expect(second.releases()).toEqual(new Map([['m', release('r1')]]));
    expect(second.routes()).toEqual(new Map([['m', '{"rules":[]}']]));
    expect(second.entries()).toEqual([{ ...audited('routesSet'), outcome: 'done', sequence: number }]);
  });

  it('never gives a split number twice, over restarts too', () => {
    const numbers = [1, 2, 3].flatMap(() => {
      const store = open();
      const given = [store.nextSplitNumber(), store.nextSplitNumber()];
      store.close();
      return given;
    });
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('forgets the release and the routes of a model when told to', () => {
    const store = open();
    store.commit({ release: { model: 'm', release: release('r') }, routes: { model: 'm', document: '{}' } });
    store.commit({ release: { model: 'm', release: undefined }, routes: { model: 'm', document: undefined } });
    expect([store.releases().size, store.routes().size]).toEqual([0, 0]);
  });

  it('is, after any changes and restarts, what the changes say', () => {
    const names = fc.constantFrom('a', 'b', 'ü/c', "d'; DROP TABLE routes; --");
    const change = fc.oneof(
      fc.record({ model: names, document: fc.option(fc.json(), { nil: undefined }) }).map((routes) => ({ routes })),
      fc.constant('restart' as const),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const own = join(mkdtempSync(join(folder, 'case-')), 'state.db');
        let store = open({ file: own });
        const expected = new Map<string, string>();
        for (const one of changes) {
          if (one === 'restart') {
            store.close();
            store = open({ file: own });
            continue;
          }
          store.commit(one);
          const { model, document } = one.routes;
          if (document === undefined) expected.delete(model);
          else expected.set(model, document);
        }
        expect(new Map([...store.routes()].sort())).toEqual(new Map([...expected].sort()));
        store.close();
      }),
      { numRuns: 12 },
    );
  });

  it('is readable for its user alone', () => {
    open().commit({ rollout: rollout('r') });
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(statSync(`${file}-wal`).mode & 0o077).toBe(0);
    expect(statSync(join(folder, 'state')).mode & 0o077).toBe(0);
  });

  it('changes nothing where one part of a change cannot be written', () => {
    const store = open();
    store.commit({ rollout: rollout('r', 1, 'shadowing') });
    const broken = { rollout: 'r', atMs: 1, kind: 'decided', body: null as unknown as string };
    expect(() => store.commit({ rollout: rollout('r', 2, 'promoted'), decisions: [broken] })).toThrow(
      expect.objectContaining({ reason: 'INTERNAL', message: expect.stringMatching(/nothing was changed/) }),
    );
    expect(store.rollouts()).toEqual([rollout('r', 1, 'shadowing')]);
    expect(store.writeFailures).toBe(1);
    store.commit({ rollout: rollout('r', 3, 'promoted') });
    expect(store.rollouts()).toEqual([rollout('r', 3, 'promoted')]);
  });
});

describe('a store that is made when it is needed', () => {
  it('makes no file for an audit or a question, and takes the audit along with the first change of a release', () => {
    const store = open({ make: 'needed' });
    store.add(audited('repositoryLoad'));
    expect([store.routes().size, store.rollouts().length, store.releases().size]).toEqual([0, 0, 0]);
    expect([existsSync(file), store.durable]).toEqual([false, false]);
    store.commit({ rollout: rollout('r') });
    expect([existsSync(file), store.durable]).toEqual([true, true]);
    store.close();
    expect(open({ make: 'needed' }).entries()).toHaveLength(1);
  });

  it('keeps everything in memory where there is no file', () => {
    const store = open({ file: undefined });
    store.commit({ routes: { model: 'm', document: '{}' } });
    expect([store.routes().size, store.durable]).toEqual([1, false]);
  });

  it('says without naming files that the change was refused, where the file cannot be made', () => {
    writeFileSync(join(folder, 'state'), 'a file where the folder should be');
    const store = open({ make: 'needed' });
    expect(() => store.commit({ rollout: rollout('r') })).toThrow(
      expect.objectContaining({ reason: 'INTERNAL', message: expect.not.stringContaining(folder) }),
    );
    expect(store.rollouts()).toEqual([]);
  });
});

describe('a file that cannot be used', () => {
  it('is refused for a second gateway, with what to do, and free again when the first ends', () => {
    const first = open();
    expect(() => open()).toThrow(
      expect.objectContaining({
        reason: 'CONFLICT',
        message: expect.stringMatching(/in use by another gateway.*--state-dir/),
      }),
    );
    first.commit({ rollout: rollout('r') });
    first.close();
    expect(open().rollouts()).toHaveLength(1);
  });

  it.each([
    ['empty', () => truncateSync(file, 0)],
    ['text', () => writeFileSync(file, 'not a database\n'.repeat(100))],
    ['cut short', () => truncateSync(file, 6000)],
    ['overwritten inside', () => overwrite(8192)],
    ['without its head', () => overwrite(0)],
  ])('is left as it is where it is %s', (_, damage) => {
    const store = open();
    for (let i = 0; i < 300; i++) store.commit({ rollout: rollout(`r${i}`), decisions: [observation('r', `${i}`)] });
    store.close();
    reduceToOneFile();
    damage();
    const before = readFileSync(file);
    expect(() => open()).toThrow(
      expect.objectContaining({
        reason: expect.stringMatching(/INTERNAL|UNSUPPORTED/),
        message: expect.stringMatching(/move it away/),
      }),
    );
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('is refused where another program wrote it', () => {
    mkdirSync(join(folder, 'state'));
    writeFileSync(file, '');
    const database = new Database(file);
    database.exec('CREATE TABLE notes (text TEXT)');
    database.close();
    expect(() => open()).toThrow(/not a state file of Penstock/);
  });

  it('is refused where a later Penstock wrote it', () => {
    open().close();
    const database = new Database(file);
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    database.close();
    expect(() => open()).toThrow(
      expect.objectContaining({ reason: 'UNSUPPORTED', message: expect.stringMatching(/later Penstock/) }),
    );
  });

  it('says which folder cannot be written', () => {
    writeFileSync(join(folder, 'state'), '');
    expect(() => open()).toThrow(/state\.db cannot be made .*--state-dir/);
  });

  /** All in the main file, so that damage to it is damage to what was committed. */
  function reduceToOneFile(): void {
    const database = new Database(file);
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.pragma('journal_mode = DELETE');
    database.close();
    rmSync(`${file}-wal`, { force: true });
  }

  function overwrite(at: number): void {
    const content = readFileSync(file);
    content.fill(0x5a, at, at + 4096);
    writeFileSync(file, content);
  }
});

describe('migrations', () => {
  it.each(MIGRATIONS.map((_, steps) => [steps]))('bring a file after %i steps to the tables of today', (steps) => {
    const old = new Database(':memory:');
    old.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    migrate(old, MIGRATIONS.slice(0, steps));
    if (steps > 0) old.exec("INSERT INTO routes VALUES ('m', '{}')");
    mkdirSync(join(folder, 'state'));
    old.exec(`VACUUM INTO '${file}'`);
    old.close();
    const store = open();
    expect(store.routes().size).toBe(steps > 0 ? 1 : 0);
    store.commit({ rollout: rollout('r') });
    store.add(audited('x'));
    expect(store.nextSplitNumber()).toBe(1);
  });

  it('are whole or not at all', () => {
    const database = new Database(':memory:');
    const steps = [
      'CREATE TABLE a (x) STRICT;'.replace('(x)', '(x INTEGER)'),
      'CREATE TABLE b (x INTEGER) STRICT; CREATE TABLE a (x INTEGER) STRICT;',
    ];
    expect(() => migrate(database, steps)).toThrow(/already exists/);
    expect(database.pragma('user_version')).toBe(1);
    expect(database.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")).toEqual([{ name: 'a' }]);
    database.close();
  });
});

describe('the bounds of what is kept', () => {
  const limits = { observations: 10, slack: 5, rollouts: 3, audit: 4 };

  it('gives up the oldest observations of a rollout alone, and says in their place how many', () => {
    const store = open({ limits });
    store.commit({ rollout: rollout('r'), decisions: [{ rollout: 'r', atMs: 0, kind: 'started', body: '{}' }] });
    for (let i = 0; i < 40; i++) {
      store.commit({
        decisions: [
          observation('r', String(i)),
          ...(i === 20 ? [{ rollout: 'r', atMs: 0, kind: 'decided', body: 'd' }] : []),
        ],
      });
      store.commit({ decisions: [observation('other', String(i % 3))] });
    }
    const kept = store.decisions('r');
    expect(kept.map(({ kind }) => kind).filter((kind) => kind !== 'observed')).toEqual([
      'started',
      'decided',
      'pruned',
    ]);
    const observed = kept.filter(({ kind }) => kind === 'observed').map(({ body }) => Number(body));
    expect(observed).toEqual(Array.from({ length: observed.length }, (_, i) => 40 - observed.length + i));
    expect(observed.length).toBeGreaterThanOrEqual(limits.observations);
    expect(observed.length).toBeLessThan(limits.observations + limits.slack);
    const pruned = JSON.parse(kept.find(({ kind }) => kind === 'pruned')?.body ?? '');
    expect(pruned.observations + observed.length).toBe(40);
  });

  it('counts on after a restart and after a change that failed', () => {
    const first = open({ limits });
    for (let i = 0; i < 14; i++) first.commit({ decisions: [observation('r', String(i))] });
    expect(() =>
      first.commit({ decisions: [observation('r', 'x'), observation('r', null as unknown as string)] }),
    ).toThrow();
    first.close();
    const second = open({ limits });
    expect(second.decisions('r')).toHaveLength(14);
    second.commit({ decisions: [observation('r', '14')] });
    expect(
      second
        .decisions('r')
        .map(({ kind }) => kind)
        .filter((kind) => kind === 'observed'),
    ).toHaveLength(10);
  });

  it('hands out decisions in parts', () => {
    const store = open();
    for (let i = 0; i < 5; i++) store.commit({ decisions: [observation('r', String(i))] });
    const part = store.decisions('r', 0, 2);
    expect(part.map(({ body }) => body)).toEqual(['0', '1']);
    expect(store.decisions('r', part[1]!.sequence).map(({ body }) => body)).toEqual(['2', '3', '4']);
  });

  it('forgets the rollouts that changed longest ago, with their decisions, never one that a release names', () => {
    const store = open({ limits });
    store.commit({ rollout: rollout('oldest', 1), release: { model: 'm', release: release('oldest') } });
    for (let i = 0; i < 6; i++)
      store.commit({ rollout: rollout(`r${i}`, 10 + i), decisions: [observation(`r${i}`, '')] });
    expect(store.rollouts().map(({ id }) => id)).toEqual(['oldest', 'r4', 'r5']);
    expect([store.decisions('r0').length, store.decisions('r5').length]).toEqual([0, 1]);
  });

  it('keeps the newest entries of the audit, and reads them in parts', () => {
    const store = open({ limits });
    for (let i = 0; i < 9; i++) store.add(audited(`call${i}`));
    expect(store.entries().map(({ call }) => call)).toEqual(['call8', 'call7', 'call6', 'call5']);
    const [, second] = store.entries();
    expect(store.entries(second!.sequence, 1).map(({ call }) => call)).toEqual(['call6']);
  });
});

it('reads a file that was copied while nobody wrote', () => {
  const store = open();
  store.commit({ rollout: rollout('r') });
  store.close();
  const copy = join(folder, 'copy.db');
  copyFileSync(file, copy);
  if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${copy}-wal`);
  expect(open({ file: copy }).rollouts()).toHaveLength(1);
});
